"""The application: its routes, how they fail, what OpenAPI says of it; and what happens as it starts and ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from loyalty.api import (
    adjustments,
    appliers,  # noqa: F401 - that events of all kinds can be applied
    health,
    identity,
    members,
    metrics,
    problem_kinds,
    problems,
    purchases,
    redemptions,
    refunds,
    triggers,
    unsubscribe,
    vouchers,
    webhooks,
)
from loyalty.api.described import describe
from loyalty.api.front import Front
from loyalty.api.server import end_with_parent
from loyalty.api.work import at_once
from loyalty.db import engine
from loyalty.errors import BadInput, NotMigrated, Refused, Unavailable
from loyalty.settings import keep_settings

THREADS = 16
"""Requests of one worker that are in the database at once; each has a connection of its own in a pool."""

_ABOUT = """\
Members, purchases, refunds, redemptions and vouchers of a loyalty programme, as they happen.

Money is a decimal text in major units ("99.90"), points are whole numbers, times are ISO 8601.
Send `Authorization: Bearer KEY`. Errors are problem details (RFC 9457); `GET /problems` tells what each means.
Each write can be repeated: by its `transaction_id`, or under an `Idempotency-Key`, the same again has its effect once
and gets the first answer; the same id or key with other content is refused (409)."""


@asynccontextmanager
async def _running(_application: FastAPI) -> AsyncIterator[None]:
    end_with_parent()
    keep_settings()
    engine.serve_requests(THREADS)
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    at_once.open(THREADS)
    yield
    at_once.close()
    engine.dispose()


def _make() -> FastAPI:
    made = FastAPI(
        title="Loyalty Flows",
        version=version("loyalty-flows"),
        description=_ABOUT,
        lifespan=_running,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    parts = (identity, members, purchases, refunds, redemptions, vouchers, triggers, adjustments, webhooks, unsubscribe)
    for part in (*parts, problem_kinds, health, metrics):
        made.include_router(part.router)
    known = (problems.Problem, RequestValidationError, HTTPException, BadInput, Refused, NotMigrated, Unavailable)
    for kind in (*known, Exception):  # what is not known is a failure: it is answered, and then raised for Front to log
        made.add_exception_handler(kind, problems.answer)
    made.openapi = lambda: describe(made)  # type: ignore[method-assign]
    return made


application = Front(_make())

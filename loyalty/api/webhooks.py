"""Webhooks of platforms, and subscriptions to changes: their place. No platform and no such event is known yet."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field, HttpUrl

from loyalty import clock
from loyalty.api import events
from loyalty.api.bodies import Body, Id, Told
from loyalty.api.callers import Needs
from loyalty.api.problems import Problem
from loyalty.api.repeats import BODY
from loyalty.api.responses import PROBLEMS, response
from loyalty.api.work import in_transaction
from loyalty.db import inbox
from loyalty.db.api_keys import Key
from loyalty.db.idempotency import Answer
from loyalty.db.inbox import Event

router = APIRouter(prefix="/v1", tags=["platforms"], responses=PROBLEMS)

Verify = Callable[[Mapping[str, str], bytes], str]
"""Sees that a platform really sent these headers and bytes, and gives its id of the event. Raises a Problem if not."""

PLATFORMS: dict[str, Verify] = {}
"""By the name in the address."""


class Received(Told):
    """What became of an event."""

    state: str = Field(description="`applied`, `waiting` or `dead`", examples=["applied"])


class Subscription(Body):
    """Where to tell of what."""

    event: Id = Field(examples=["points.posted"])
    url: HttpUrl = Field(examples=["https://example.com/hook"])


@router.post("/webhooks/{platform}", response_model=Received, summary="An event, as its platform sends it")
def receive(platform: Annotated[Id, Path(examples=["acme"])], request: Request) -> Response:
    """Take an event: verified by the platform's own signature, stored as it came, then applied; no key is asked for."""
    verify = PLATFORMS.get(platform)
    if verify is None:
        raise Problem("not-found", "no such platform is known")
    body = cast("bytes", request.scope[BODY])
    event = Event(
        source=f"webhooks/{platform}",
        event_id=verify(request.headers, body),
        kind=platform,
        digest=hashlib.sha256(body).digest(),
        body=body,
        received_at=clock.now(),
    )
    known = in_transaction(lambda connection: inbox.receive(connection, event))
    state = events.apply_received(event) if known is None else known.state
    return response(Answer(200, Received(state=state).model_dump_json()))


@router.post("/hooks", status_code=201, summary="Subscribe to changes")
def subscribe(_subscription: Subscription, _caller: Annotated[Key, Depends(Needs("hooks"))]) -> Response:
    """Ask to be told of changes. This release has no event to subscribe to: each answer is 404."""
    raise Problem("not-found", "there is no such event to subscribe to")

"""Webhooks of platforms, and subscriptions to changes, of which none is known yet."""

import hashlib
import time
from typing import Annotated, cast

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field, HttpUrl
from sqlalchemy import Connection

from loyalty import clock
from loyalty.api import events
from loyalty.api.bodies import Body, Id
from loyalty.api.callers import needs
from loyalty.api.problems import Problem
from loyalty.api.repeats import BODY
from loyalty.api.responses import only, problems
from loyalty.api.work import in_transaction
from loyalty.db import inbox
from loyalty.db.api_keys import Key
from loyalty.db.inbox import Event, Known
from loyalty.errors import Unverified
from loyalty.platforms import base
from loyalty.platforms.base import Incoming
from loyalty.platforms.registry import PLATFORMS
from loyalty.settings import settings

router = APIRouter(prefix="/v1", tags=["platforms"])


class Subscription(Body):
    """Where to tell of what."""

    event: Id = Field(description="What to be told of.", examples=["points.posted"])
    url: HttpUrl = Field(description="Where to tell it.", examples=["https://example.com/hook"])


@router.post(
    "/webhooks/{platform}",
    status_code=204,
    summary="Events, as their platform sends them",
    response_description="They are kept",
    responses=only("unverified", "not-found", "too-large", "invalid", "unforeseen", "unavailable"),
)
def receive(
    platform: Annotated[Id, Path(description="Which platform sends them.", examples=["twilio"])], request: Request
) -> Response:
    """Take events: verified by the platform's own signature, stored as they came, then applied; no key is asked for.

    An event that can't be applied yet waits, and one that never can is kept: neither is the platform's to mend.
    """
    known = PLATFORMS.get(platform)
    if known is None or not known.configured(settings()):
        raise Problem("not-found", "no such platform is known")
    try:
        incoming = known.verify(_as_it_came(request), settings())
    except Unverified:
        raise Problem("unverified") from None
    received = [_event(platform, each) for each in incoming]
    for event, before in in_transaction(lambda connection: _kept(connection, received)):
        if before is None:
            events.apply_received(event)
    return Response(status_code=204)


@router.post(
    "/hooks",
    status_code=201,
    response_model=Subscription,
    summary="Subscribe to changes",
    responses=problems("not-found"),
)
def subscribe(_subscription: Subscription, _caller: Annotated[Key, needs("hooks")]) -> Response:
    """Ask to be told of changes. This release has no event to subscribe to: each answer is 404."""
    raise Problem("not-found", "there is no such event to subscribe to")


def _as_it_came(request: Request) -> base.Request:
    path = cast("bytes", request.scope.get("raw_path") or request.scope["path"].encode())
    query = cast("bytes", request.scope["query_string"])
    target = (path.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")
    return base.Request(request.headers, target, cast("bytes", request.scope[BODY]), time.time())


def _event(platform: str, incoming: Incoming) -> Event:
    """An event for the inbox; its id is all that tells it from others, for platforms send the same in other words."""
    return Event(
        source=f"webhooks/{platform}",
        event_id=incoming.event_id,
        kind=platform,
        digest=hashlib.sha256(incoming.event_id.encode()).digest(),
        body=incoming.body,
        received_at=clock.now(),
    )


def _kept(connection: Connection, received: list[Event]) -> list[tuple[Event, Known | None]]:
    return [(event, inbox.receive(connection, event)) for event in received]

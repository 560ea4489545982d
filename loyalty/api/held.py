"""Requests that break a limit of the rules: kept in the inbox until a person releases or refuses them.

The request's idempotency key is the event's id, so the same request again tells how it stands.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

from pydantic import Field
from sqlalchemy import Connection

from loyalty import clock
from loyalty.api.bodies import Told
from loyalty.api.responses import KEPT
from loyalty.api.work import answered_once, in_transaction
from loyalty.db import idempotency, inbox
from loyalty.db.idempotency import Answer, Request
from loyalty.db.inbox import Event
from loyalty.errors import Held, Refused

_LONGEST_ID = 200


class HeldTold(Told):
    """A request that is kept, because it breaks a limit. The same request again tells how it stands."""

    state: str = Field(examples=["held"])
    reason: str = Field(examples=["more than 3 redemptions of one member in one day"])


def event_of(request: Request, kind: str, body: bytes, now: datetime) -> Event:
    """The event that a request becomes if it is held: its key names it, within the API key."""
    name = request.idempotency_key
    if len(name) > _LONGEST_ID:
        name = hashlib.sha256(name.encode()).hexdigest()
    return Event(f"{kind}/{request.key_no}", name, kind, request.digest, body, now)


def answered_or_held(request: Request, event: Event, work: Callable[[Connection], Answer]) -> Answer:
    """Do work once as `answered_once` does; what breaks a limit is kept, and answered 202 until a person decides.

    Raises Refused once it is refused, or could not be done when it was released.
    """
    try:
        answer = answered_once(request, work)
    except Held as held:
        why = held
        answer = in_transaction(lambda connection: _kept(connection, request, event, why))
    if answer.status:
        return answer
    return _as_it_stands(in_transaction(lambda connection: inbox.known(connection, event)))


def _kept(connection: Connection, request: Request, event: Event, held: Held) -> Answer:
    """Keep the event, and the key without an answer: the event is its record."""
    first = idempotency.claim(connection, request, clock.now())
    if first is not None:
        return first
    if inbox.receive(connection, event) is None:
        inbox.hold(connection, event, held, clock.now())
    return Answer(0, "")


def _as_it_stands(event: inbox.Known) -> Answer:
    if event.answer is not None:
        return Answer(201, event.answer)
    if event.state in KEPT:
        return Answer(202, HeldTold(state=event.state, reason=event.reason or "").model_dump_json())
    raise Refused(f"the same came before and is {event.state}: {event.reason}")

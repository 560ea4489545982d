"""The inbox: each event from outside as it came, once by (source, event id), whatever becomes of it.

An event is received before it is applied, in the transaction that applies it or in one of its own. One that can't be
applied yet waits, with the reason, for what it lacks or for its next try; one that never can is dead.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from loyalty.db.members import Row
from loyalty.db.prepared import Prepared
from loyalty.db.statements import run
from loyalty.errors import Held, NotFound, OtherContent, Waits

STATES = ("waiting", "dead", "dropped")
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=30)
"""How long an event waits for what it lacks before it is dead."""
BODIES_KEPT = timedelta(days=30)
"""How long what an event said is kept once it is applied or dropped: it may be people's data."""
_MOST_DOUBLINGS = 20


@dataclass(frozen=True, slots=True)
class Event:
    """What came: whose, which, of what kind, its bytes, and the digest of what they say.

    `released`: a person has seen that it breaks a limit, and lets it be applied.
    """

    source: str
    event_id: str
    kind: str
    digest: bytes
    body: bytes
    received_at: datetime
    tries: int = 0
    released: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """An event that was there before: its state, the reason if it is not applied, the first answer if it is."""

    event_no: int
    state: str
    reason: str | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A purchase that was received and applied at once: its answer, and the points it posted."""

    answer: str
    points: int


def receive(connection: Connection, event: Event) -> Known | None:
    """Keep an event, to be applied; None if it is new, else what became of it. Waits for who has just brought it.

    Raises OtherContent if another event came with this id.
    """
    added = run(
        connection,
        "inbox/receive_event",
        source=event.source,
        event_id=event.event_id,
        kind=event.kind,
        digest=event.digest,
        body=event.body,
        at=event.received_at,
    )
    return None if added.scalar_one_or_none() is not None else known(connection, event)


async def take_purchase(statements: Prepared, event: Event, sale: Mapping[str, Any], now: datetime) -> Taken | None:
    """Keep a purchase as it came and record it, by one statement; None, with nothing done, if it takes more than that.

    `sale` has the fields of `accrual.Purchase`.
    """
    row = await statements.one_or_none("inbox/take_purchase", **sale, digest=event.digest, body=event.body, at=now)
    return None if row is None else Taken(*row)


def known(connection: Connection, event: Event) -> Known:
    """What became of an event. Raises NotFound if it never came, OtherContent if another came with its id."""
    found = run(connection, "inbox/find_event", source=event.source, event_id=event.event_id).one_or_none()
    if found is None:
        raise NotFound("there is no such event")
    if (bytes(found.digest), found.kind) != (event.digest, event.kind):
        raise OtherContent("the same id came before with other content")
    return Known(found.event_no, found.state, found.reason, found.answer)


def settle(connection: Connection, event: Event, answer: str, now: datetime, *, forget: bool = False) -> None:
    """Say that an event is applied, in the transaction that applies it; `answer` is what a repeat of it gets.

    `forget` what it said: it holds people's data, and nothing needs it any more.
    """
    run(
        connection,
        "inbox/settle_event",
        source=event.source,
        event_id=event.event_id,
        answer=answer,
        forget=forget,
        at=now,
    )


def postpone(connection: Connection, event: Event, waits: Waits, now: datetime) -> None:
    """Say why an event can't be applied yet: it is tried again ever more seldom, and given up in the end.

    What waits for a customer is tried when that customer registers, and given up by its applier when that helps no
    longer; what waits for a sale is not given up while that waits itself.
    """
    reason = str(waits)
    if waits.until is None and now - event.received_at >= GIVEN_UP_AFTER and not _sale_waits(connection, event, waits):
        bury(connection, event, f"given up after {GIVEN_UP_AFTER.days} days: {reason}", now)
        return
    wait = FIRST_WAIT * 2 ** min(event.tries, _MOST_DOUBLINGS)
    currency, sold_at = waits.rate or (None, None)
    longest = LONGEST_WAIT if waits.until is None else max(waits.until - now, FIRST_WAIT)
    run(
        connection,
        "inbox/postpone_event",
        source=event.source,
        event_id=event.event_id,
        reason=reason,
        waits_for=waits.waits_for,
        waits_for_customer=waits.customer,
        currency=currency,
        sold_at=sold_at,
        next_try_at=now + min(wait, longest),
    )


def bury(connection: Connection, event: Event, reason: str, now: datetime) -> None:
    """Give an event up: a dead letter, which a person may replay or drop."""
    run(connection, "inbox/bury_event", source=event.source, event_id=event.event_id, reason=reason, at=now)


def hold(connection: Connection, event: Event, held: Held, now: datetime) -> None:
    """Hold an event that breaks a limit until a person releases or refuses it, and tell staff."""
    run(
        connection,
        "inbox/hold_event",
        source=event.source,
        event_id=event.event_id,
        reason=str(held),
        broken=json.dumps(dict(held.limit)),
        at=now,
    )


def release(connection: Connection, event_no: int, by: str, now: datetime) -> Event | None:
    """Let a held event be applied, in this transaction; None if none of that number is held."""
    row = run(connection, "inbox/release_event", event_no=event_no, released_by=by, at=now).one_or_none()
    return None if row is None else _event(row)


def refuse(connection: Connection, event_no: int, by: str, note: str, now: datetime) -> bool:
    """Refuse a held event for good; False if none of that number is held."""
    reason = f"refused by {by}: {note}"
    return run(connection, "inbox/refuse_event", event_no=event_no, reason=reason, at=now).rowcount == 1


def next_due(connection: Connection, now: datetime) -> Event | None:
    """The event that is due longest, locked for this transaction; None if none is, or others work on them."""
    row = run(connection, "inbox/lock_due", at=now).one_or_none()
    return None if row is None else _event(row)


def ready(connection: Connection) -> list[int]:
    """The numbers of the events that wait for what is there by now: a sale, a customer, the rate of a day."""
    return list(run(connection, "inbox/find_ready").scalars())


def waiting(connection: Connection, event_no: int) -> Event | None:
    """An event that waits, locked for this transaction; None if it waits no more, or others work on it."""
    row = run(connection, "inbox/lock_event", event_no=event_no).one_or_none()
    return None if row is None else _event(row)


def waiting_for(connection: Connection, source: str, transaction_id: str) -> list[Event]:
    """The events that wait for a transaction, locked, in the order they came: who records it applies them."""
    rows = run(connection, "inbox/lock_waiting_for", source=source, transaction_id=transaction_id)
    return [_event(row) for row in rows]


def waiting_for_customer(connection: Connection, customer_id: str) -> list[Event]:
    """The events that wait for a customer, locked, in the order they came: who registers the customer applies them."""
    rows = run(connection, "inbox/lock_waiting_for_customer", customer_id=customer_id)
    return [_event(row) for row in rows]


def depths(connection: Connection) -> dict[str, int]:
    """How many events wait, how many are dead, and how many messages wait in the outbox."""
    return dict(run(connection, "inbox/count_waiting").mappings().one())


def listed(connection: Connection, states: Sequence[str], most: int) -> list[Row]:
    """Events in these states, oldest first."""
    return [dict(row) for row in run(connection, "inbox/list_events", states=list(states), most=most).mappings()]


def shown(connection: Connection, event_no: int) -> Row:
    """All of an event that is not applied. Raises NotFound if there is none of that number."""
    row = run(connection, "inbox/show_event", event_no=event_no).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no event {event_no} waits, is held, is dead or was dropped")
    return dict(row)


def replay(connection: Connection, numbers: Sequence[int], now: datetime) -> list[int]:
    """Have events tried again now; the numbers of those that are not applied yet."""
    return sorted(run(connection, "inbox/replay_events", numbers=list(numbers), at=now).scalars())


def drop(connection: Connection, numbers: Sequence[int], reason: str, now: datetime) -> list[int]:
    """Drop events for a reason; the numbers of those that waited or were dead."""
    return sorted(run(connection, "inbox/drop_events", numbers=list(numbers), reason=reason, at=now).scalars())


def forget(connection: Connection, now: datetime) -> int:
    """Forget what events said that are done with and older than BODIES_KEPT; how many."""
    return run(connection, "inbox/forget_bodies", before=now - BODIES_KEPT).rowcount


def _sale_waits(connection: Connection, event: Event, waits: Waits) -> bool:
    if waits.waits_for is None:
        return False
    found = run(connection, "inbox/sale_waits", source=event.source, transaction_id=waits.waits_for)
    return bool(found.scalar_one())


def _event(row: Any) -> Event:
    return Event(
        source=row.source,
        event_id=row.event_id,
        kind=row.kind,
        digest=bytes(row.digest),
        body=bytes(row.body or b""),
        received_at=row.received_at,
        tries=row.tries,
        released=row.released,
    )

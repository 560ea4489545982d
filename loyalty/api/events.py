"""Events applied: in the request that brings them if it can be, else when they are due; each once, in any order.

An applier does what an event of its kind says, in the transaction it is given, and gives the answer that is kept. It
raises Waits, before writing anything, for what can't be applied yet; Refused or BadInput for what never can.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from loyalty import clock
from loyalty.api.work import in_transaction
from loyalty.db import idempotency, inbox, throttles, velocity
from loyalty.db.inbox import Event
from loyalty.db.throttles import Bucket
from loyalty.errors import BadInput, Held, LoyaltyError, NotFound, Refused, Unavailable, Waits

S = TypeVar("S")
_TIDY = Bucket("tidy", burst=1, per_second=1 / 86_400)  # once a day is enough


@dataclass(frozen=True, slots=True)
class Applied:
    """What an applier did: the answer that is kept, and the id of the transaction recorded, which others may await.

    `forget` what the event said, as soon as it is applied. `repeated`: another way in had recorded it before, a file
    perhaps, so that nothing was done. `answer_now` tells the answer again, as it is once others were applied along.
    """

    answer: str
    transaction_id: str | None = None
    forget: bool = False
    repeated: bool = False
    answer_now: Callable[[], str] | None = None


Applier = Callable[[Connection, Event, datetime], Applied]
APPLIERS: dict[str, Applier] = {}
"""By the kind of event. A module that knows a kind puts its applier here."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event: applied with its answer, waiting or dead with the reason; and whether that is news.

    `along` has the kind and answer of each event that had waited for this one, and was applied with it.
    """

    state: str
    answer: str | None = None
    reason: str | None = None
    first: bool = True
    along: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Drained:
    """How many events were applied, how many wait on, how many died, and how many are held for breaking a limit."""

    applied: int = 0
    waiting: int = 0
    dead: int = 0
    held: int = 0

    def count(self, state: str) -> None:
        """Count an event by its state."""
        setattr(self, state, getattr(self, state) + 1)


def arrive(event: Event, request: idempotency.Request | None = None) -> Outcome:
    """Receive an event and apply it, in one transaction; one that can't be applied yet is kept until it can.

    The event has a key of its own; where its request has one too, that is seen to be used for this one only.

    Raises Refused or BadInput for what never can be: then nothing is kept, for whoever sent it is told. Raises
    OtherContent if another event came with this id, Unavailable without a database.
    """

    def work(connection: Connection) -> Outcome:
        before = _received(connection, event, request)
        return before or _apply(connection, event, clock.now())

    try:
        return in_transaction(work)
    except (Refused, BadInput, Unavailable):
        raise
    except (Waits, Held) as missing:
        why = missing
    except LoyaltyError:  # a mistake of ours must not lose a sale: it is applied once that is mended
        why = _failed()
    return in_transaction(lambda connection: _kept(connection, event, request, why))


def apply_received(event: Event) -> str:
    """Apply an event that was received before, or put it off; its state then."""
    now = clock.now()

    def work(connection: Connection) -> str:
        _apply(connection, event, now)
        return "applied"

    return _settled(work, lambda: event, now)


def registered(connection: Connection, customer_id: str, now: datetime) -> tuple[tuple[str, str], ...]:
    """Apply what waited for a customer who has just registered, in that transaction; kind and answer of each."""
    waiting = inbox.waiting_for_customer(connection, customer_id)
    return tuple(done for event in waiting for done in _apply_waiting(connection, event, now))


def release(event_no: int, by: str, now: datetime) -> str:
    """Apply an event that is held for breaking a limit, in somebody's name; its state then, once and for all.

    It is applied as of now but for what it says of its own time. Raises NotFound if none of that number is held.
    """

    def work(connection: Connection) -> str | None:
        event = inbox.release(connection, event_no, by, now)
        return None if event is None else _apply(connection, event, now).state

    def later(connection: Connection) -> str | None:
        event = inbox.release(connection, event_no, by, now)
        return None if event is None else _put_off(connection, event, reason, now)

    try:
        state = in_transaction(work)
    except Unavailable:
        raise
    except LoyaltyError as error:
        reason = error
        state = in_transaction(later)
    if state is None:
        raise NotFound(f"no event {event_no} is held")
    return state


def drain(now: datetime, limit: int) -> Drained:
    """Apply the events that are due, each in a transaction of its own; at most `limit` of them."""
    done = Drained()
    for _ in range(limit):
        state = _tried(partial(inbox.next_due, now=now), now)
        if state is None:
            break
        done.count(state)
    in_transaction(lambda connection: _tidy(connection, now))
    return done


def try_now(numbers: Iterable[int], now: datetime) -> Drained:
    """Apply those of these events that still wait, each in a transaction of its own, whenever they would be due."""
    done = Drained()
    for number in numbers:
        state = _tried(partial(inbox.waiting, event_no=number), now)
        if state is not None:
            done.count(state)
    return done


def _tried(take: Callable[[Connection], Event | None], now: datetime) -> str | None:
    """Apply the event that is taken, locked; its state then, None if none is."""
    taken: list[Event] = []

    def work(connection: Connection) -> str | None:
        event = take(connection)
        if event is None:
            return None
        taken[:] = [event]
        _apply(connection, event, now)
        return "applied"

    return _settled(work, lambda: taken[0], now)


def _settled(work: Callable[[Connection], S], event: Callable[[], Event], now: datetime) -> S | str:
    """Do work that applies an event; one that it can't apply is put off or buried. Raises Unavailable."""
    try:
        return in_transaction(work)
    except Unavailable:
        raise
    except LoyaltyError as error:
        reason = error
    return in_transaction(lambda connection: _put_off(connection, event(), reason, now))


def _apply(connection: Connection, event: Event, now: datetime) -> Outcome:
    """Apply an event, then those that waited for it."""
    applier = APPLIERS.get(event.kind)
    if applier is None:
        raise Waits(f"this release can't apply events of the kind {event.kind}")
    applied = applier(connection, event, now)
    along: list[tuple[str, str]] = []
    if applied.transaction_id is not None:
        for waiting in inbox.waiting_for(connection, event.source, applied.transaction_id):
            along += _apply_waiting(connection, waiting, now)
    answer = applied.answer_now() if along and applied.answer_now else applied.answer
    inbox.settle(connection, event, answer, now, forget=applied.forget)
    return Outcome("applied", answer, first=not applied.repeated, along=tuple(along))


def _apply_waiting(connection: Connection, event: Event, now: datetime) -> list[tuple[str, str]]:
    """Apply an event whose time has come within another's transaction, which must not fail with it; kind and answer."""
    try:
        with connection.begin_nested():
            done = _apply(connection, event, now)
    except LoyaltyError as error:
        _put_off(connection, event, error, now)
        return []
    return [(event.kind, done.answer or ""), *done.along]


def _put_off(connection: Connection, event: Event, error: LoyaltyError, now: datetime) -> str:
    if isinstance(error, Refused | BadInput):
        inbox.bury(connection, event, str(error), now)
    elif isinstance(error, Held):
        inbox.hold(connection, event, error, now)
    elif isinstance(error, Waits):
        inbox.postpone(connection, event, error, now)
    else:
        inbox.postpone(connection, event, _failed(), now)
    return inbox.known(connection, event).state


def _kept(connection: Connection, event: Event, request: idempotency.Request | None, why: Waits | Held) -> Outcome:
    before = _received(connection, event, request)
    if before is not None:
        return before
    return Outcome(_put_off(connection, event, why, clock.now()), reason=str(why))


def _failed() -> Waits:
    return Waits("the service failed to apply it")


def _received(connection: Connection, event: Event, request: idempotency.Request | None) -> Outcome | None:
    """Keep an event; None if it is new, else what became of it."""
    if request is not None:
        idempotency.claim(connection, request, clock.now())  # the answer is the event's own
    before = inbox.receive(connection, event)
    return None if before is None else Outcome(before.state, before.answer, before.reason, first=False)


def _tidy(connection: Connection, now: datetime) -> None:
    """Once a day, forget what is old: bodies of events, first answers."""
    if throttles.take(connection, _TIDY) == 0:
        inbox.forget(connection, now)
        idempotency.forget(connection, now)
        velocity.forget(connection, now)

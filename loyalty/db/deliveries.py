"""Messages on their way to a provider: who has them in hand, what became of them, and which of them nobody knows about.

Leases and rates go by the machines' own time, which must agree within a minute; what an outbox row says of time is the
programme's.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection

from loyalty.db import consents
from loyalty.db.statements import run

LEASE = timedelta(minutes=10)
GRACE = timedelta(minutes=1)  # by which the clocks of machines may differ
Settled = Literal["sent", "failed", "queued"]


@dataclass(frozen=True, slots=True)
class Leased:
    """A message to be taken in hand, with what finds it again at the provider."""

    message_no: int
    digest: bytes | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a message in hand. Queued again waits for `not_before`; `tried` is False if it was never begun."""

    message_no: int
    state: Literal["sent", "failed", "unknown", "queued"]
    reason: str | None = None
    provider_id: str | None = None
    fault: str | None = None
    not_before: datetime | None = None
    tried: bool = True


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A message of which nobody knows whether it went out, and what it takes to look for it. `phone` as it is now."""

    message_no: int
    phone: str | None
    attempted_at: datetime
    digest: bytes | None


def lease(connection: Connection, provider: str, worker: str, messages: Sequence[Leased]) -> None:
    """Take queued messages, in order of their numbers, in hand for LEASE."""
    if not messages:
        return
    now = _machine_time()
    numbers = [each.message_no for each in messages]
    run(
        connection,
        "outbox/lease_messages",
        first_message=numbers[0],
        last_message=numbers[-1],
        messages=numbers,
        digests=[each.digest for each in messages],
        provider=provider,
        claimed_by=worker,
        attempted_at=now,
        until=now + LEASE,
    )


def record(connection: Connection, worker: str, outcomes: Sequence[Recorded], as_of: datetime) -> None:
    """Record what became of messages that `worker` has in hand, or had when its lease ended."""
    if not outcomes:
        return
    columns = zip(*map(astuple, outcomes), strict=True)
    messages, states, reasons, provider_ids, faults, not_before, tried = map(list, columns)
    run(
        connection,
        "outbox/record_deliveries",
        messages=messages,
        states=states,
        reasons=reasons,
        provider_ids=provider_ids,
        faults=faults,
        not_before=not_before,
        tried=list(map(int, tried)),
        claimed_by=worker,
        as_of=as_of,
    )
    if faulty := [each.message_no for each in outcomes if each.fault]:
        consents.take_declined(connection, faulty, as_of)


def mark_unknown(connection: Connection) -> int:
    """Mark the messages whose delivery ended without a word as unknown, whoever the provider was; how many."""
    lapsed = list(run(connection, "outbox/find_lapsed", lapsed_before=_machine_time() - GRACE).scalars())
    return run(connection, "outbox/mark_unknown", messages=lapsed).rowcount if lapsed else 0


def in_doubt(
    connection: Connection, provider: str, older_than: timedelta, at_once: int = 100
) -> Iterator[list[InDoubt]]:
    """The messages of a provider that are unknown and were tried before that, in order, some at a time."""
    before, after = _machine_time() - older_than, 0
    while True:
        rows = run(
            connection,
            "outbox/find_unknown_to_look_up",
            provider=provider,
            attempted_before=before,
            after=after,
            most=at_once,
        )
        found = [InDoubt(row.message_no, row.phone, row.attempted_at, row.digest and bytes(row.digest)) for row in rows]
        if found:
            yield found
        if len(found) < at_once:
            return
        after = found[-1].message_no


def known_ids(connection: Connection, provider: str, provider_ids: Sequence[str]) -> set[str]:
    """Which of these the provider gave to messages that we know of."""
    rows = run(connection, "outbox/find_provider_ids", provider=provider, provider_ids=list(provider_ids))
    return set(rows.scalars())


def settle(
    connection: Connection,
    messages: Sequence[int],
    state: Settled,
    now: datetime,
    *,
    reason: str | None = None,
    provider_id: str | None = None,
) -> list[int]:
    """End the doubt about unknown messages; the numbers of those that were unknown."""
    rows = run(
        connection,
        "outbox/settle_unknown",
        messages=list(messages),
        state=state,
        reason=reason,
        provider_id=provider_id,
        not_before=now if state == "queued" else None,
        as_of=now,
        only_unknown=True,
    )
    return sorted(rows.scalars())


def settle_staff(
    connection: Connection, messages: Sequence[int], state: Settled, now: datetime, *, reason: str | None = None
) -> list[int]:
    """End the doubt about unknown messages to staff; the numbers of those that were unknown."""
    rows = run(connection, "staff/settle_staff_unknown", messages=list(messages), state=state, reason=reason, as_of=now)
    return sorted(rows.scalars())


def confirm(connection: Connection, message_no: int, provider_id: str | None, now: datetime) -> bool:
    """The provider has told, by a callback, that it has a message: it was sent, if that was in doubt; whether it was.

    Good at any time, also while the delivery still waits for its reply.
    """
    rows = run(
        connection,
        "outbox/settle_unknown",
        messages=[message_no],
        state="sent",
        reason=None,
        provider_id=provider_id,
        not_before=None,
        as_of=now,
        only_unknown=False,
    )
    return rows.first() is not None


def unknown(connection: Connection, most: int) -> list[dict[str, Any]]:
    """The messages to members and staff of which nobody knows whether they went out; never an address."""
    return [dict(row) for row in run(connection, "outbox/find_unknown", most=most).mappings()]


def take_share(connection: Connection, provider: str, wanted: int, per_second: float | None) -> tuple[int, float]:
    """How many messages a channel may send now, of those wanted; if none, the seconds until it may.

    All deliveries together keep to `per_second`, and to the rest that a provider asked for. Below zero gives back.
    """
    now = _machine_time()
    most = max(1.0, per_second or 0)
    row = run(connection, "outbox/hold_rate", provider=provider, tokens=most, at=now).one()
    if wanted > 0 and row.resumes_at is not None and row.resumes_at > now:
        return 0, (row.resumes_at - now).total_seconds()
    if per_second is None:
        return wanted, 0.0
    tokens = min(most, row.tokens + max((now - row.counted_at).total_seconds(), 0.0) * per_second)
    granted = min(wanted, int(tokens))
    if granted:
        run(connection, "outbox/keep_rate", provider=provider, tokens=tokens - granted, at=max(now, row.counted_at))
    return granted, 0.0 if granted else (1 - tokens) / per_second


def rest(connection: Connection, provider: str, seconds: float) -> None:
    """Have all deliveries leave a channel alone for so long."""
    now = _machine_time()
    run(connection, "outbox/rest_channel", provider=provider, at=now, until=now + timedelta(seconds=seconds))


def _machine_time() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)

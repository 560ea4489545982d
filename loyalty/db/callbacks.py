"""What providers tell of messages that were sent: kept once, in any order, with what it means for members.

What became of a message is read from all its events (loyalty.message_outcomes), by a rank: no event undoes another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from loyalty.db import consents, deliveries
from loyalty.db.consents import Channel, Consent, Purpose, Reason, Suppression
from loyalty.db.statements import run

Kind = Literal[
    "accepted",
    "deferred",
    "sent",
    "delivered",
    "opened",
    "clicked",
    "failed",
    "dropped",
    "bounced",
    "complained",
    "opted_out",
]
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Effect:
    """What an event means beyond its message: a consent given or withdrawn, or an address given up."""

    purpose: Purpose | None = None
    given: bool = False
    suppressed: Reason | None = None


NO_EFFECT = Effect()


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a message: the platform's id of it, our number of the message, and what it says.

    `reason` is a code or word of a known list. `address` is where the message went, and stays in memory.
    """

    event_id: str
    message_no: int
    kind: Kind
    at: datetime
    reason: str | None = None
    address: str | None = None
    effect: Effect = NO_EFFECT


@dataclass(frozen=True, slots=True)
class Source:
    """Who tells: a platform, by what channel, and which provider of deliveries that is."""

    platform: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """What became of a message, by the event that ranks highest."""

    kind: Kind
    at: datetime
    reason: str | None


def take(connection: Connection, source: Source, events: Iterable[Told], now: datetime) -> list[int]:
    """Keep what a platform tells, each event once, and do what it means; the messages of ours that it told of.

    Whatever it tells of a message, it has it: one of which nobody knew that was sent. Events of messages that this
    programme did not give the platform are left aside: others may use the same account.
    """
    known = [each for each in events if 0 < each.message_no <= _LARGEST]
    found = run(
        connection, "callbacks/find_messages", provider=source.platform, messages=[each.message_no for each in known]
    )
    rows = found.all()
    members = {row.message_no: row.member_no for row in rows}
    ours = list({each.event_id: each for each in known if each.message_no in members}.values())
    for row in rows:
        if row.in_doubt:
            deliveries.confirm(connection, row.message_no, None, now)
    news = keep(connection, source.platform, ours)
    _withdraw(connection, source, [each for each in ours if each.event_id in news], members)
    _suppress(connection, source, [each for each in ours if each.event_id in news])
    return sorted(members)


def keep(connection: Connection, platform: str, events: Sequence[Told]) -> set[str]:
    """Keep events of messages; the ids of those that are news."""
    if not events:
        return set()
    kept = run(
        connection,
        "callbacks/keep_events",
        platform=platform,
        events=[each.event_id for each in events],
        messages=[each.message_no for each in events],
        kinds=[each.kind for each in events],
        instants=[each.at for each in events],
        reasons=[each.reason for each in events],
    )
    return set(kept.scalars())


def outcome(connection: Connection, message_no: int) -> MessageOutcome | None:
    """What became of a message; None if nobody told anything of it."""
    row = run(connection, "callbacks/outcome", message_no=message_no).one_or_none()
    return None if row is None else MessageOutcome(row.outcome, row.at, row.reason)


def _withdraw(connection: Connection, source: Source, news: Iterable[Told], members: dict[int, int]) -> None:
    said = [
        Consent(
            members[each.message_no],
            source.channel,
            each.effect.purpose,
            each.effect.given,
            each.at,
            f"{source.platform} {each.reason or each.kind}",
        )
        for each in news
        if each.effect.purpose is not None
    ]
    consents.record(connection, said)


def _suppress(connection: Connection, source: Source, news: Iterable[Told]) -> None:
    given_up = [
        Suppression(each.address, each.effect.suppressed, each.at)
        for each in news
        if each.effect.suppressed is not None and each.address
    ]
    consents.suppress(connection, source.channel, given_up, source.platform)

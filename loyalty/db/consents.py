"""What members agreed to, event by event, and the addresses to which nothing may be sent.

A consent is of a channel and a purpose: `service` is the channel itself, `marketing` is offers on it. The newest event
holds, by its own instant, so the order in which events come does not matter; at one instant the withdrawal holds.
members.email_consent and sms_consent are the present state of the service.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from loyalty.db.members import Row
from loyalty.db.statements import run
from loyalty.errors import Refused

Channel = Literal["email", "sms"]
Purpose = Literal["service", "marketing"]
Reason = Literal["bounced", "spam report", "invalid address"]


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent given or withdrawn at an instant, by what way (`source`), to which words, where they are known.

    Neither source nor wording may hold personal data.
    """

    member_no: int
    channel: Channel
    purpose: Purpose
    given: bool
    at: datetime
    source: str
    wording: str | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address to which a provider will not send, or should not, as it said at an instant."""

    address: str
    reason: Reason
    at: datetime


def record(connection: Connection, consents: Sequence[Consent]) -> None:
    """Keep consents, each once, and bring the members' rows in line; who is erased is left out.

    Locks the accounts of these members, in member order.
    """
    if not consents:
        return
    run(
        connection,
        "consent/keep_events",
        members=[each.member_no for each in consents],
        channels=[each.channel for each in consents],
        purposes=[each.purpose for each in consents],
        given=[each.given for each in consents],
        instants=[each.at for each in consents],
        sources=[each.source for each in consents],
        wordings=[each.wording for each in consents],
    )
    run(connection, "consent/settle_members", members=sorted({each.member_no for each in consents}))


def holds(connection: Connection, member_no: int, channel: Channel, purpose: Purpose) -> bool | None:
    """Whether a member agrees now; None for a member who never said, or is not there (any more)."""
    found: bool | None = run(
        connection, "consent/holds", member_no=member_no, channel=channel, purpose=purpose
    ).scalar_one_or_none()
    return found


def history(connection: Connection, member_no: int) -> list[Row]:
    """Every consent of a member, oldest first."""
    return [dict(row) for row in run(connection, "consent/history", member_no=member_no).mappings()]


def members_of_phone(connection: Connection, phone: str) -> list[int]:
    """The members, not erased, who have that telephone number, however it is written."""
    return list(run(connection, "consent/members_of_phone", phone=phone).scalars())


def suppress(connection: Connection, channel: Channel, addresses: Sequence[Suppression], source: str) -> None:
    """Note that a provider won't send to these addresses, whoever has them. Only their digests are kept."""
    if not addresses:
        return
    run(
        connection,
        "consent/suppress",
        channel=channel,
        addresses=[each.address for each in addresses],
        reasons=[each.reason for each in addresses],
        instants=[each.at for each in addresses],
        source=source,
    )


def take_declined(connection: Connection, messages: Sequence[int], now: datetime) -> None:
    """Do what it means for members that a provider declined messages: it knows of an opt-out, or of a bad address."""
    run(connection, "consent/suppress_declined", messages=list(messages), at=now)
    found = run(connection, "consent/find_opted_out", messages=list(messages)).all()
    record(
        connection,
        [
            Consent(row.member_no, _channel_of(row.provider), "service", False, now, f"{row.provider} opted out")
            for row in found
        ],
    )


def suppressions(connection: Connection, member_no: int) -> list[Row]:
    """What was ever said against the addresses that a member has now, with whether it `holds`."""
    return [dict(row) for row in run(connection, "consent/member_suppressions", member_no=member_no).mappings()]


def lift(connection: Connection, member_no: int, channel: Channel, by: str, now: datetime) -> None:
    """Send to a member's present address again, in somebody's name. Raises Refused if nothing holds against it."""
    lifted = run(connection, "consent/lift_suppressions", member_no=member_no, channel=channel, at=now, by=by)
    if lifted.rowcount == 0:
        raise Refused("nothing holds against that address of the member")


def _channel_of(provider: str) -> Channel:
    return "sms" if provider == "twilio" else "email"

"""Referrals: one member brings another, and both are given points once the other has bought.

What a referral brings is what the rules said when it was made. It is settled in the transaction of the purchase where
that comes at the till, else by the daily run; both by the same statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from loyalty.db import triggers
from loyalty.db.statements import run
from loyalty.errors import NotFound, Refused

AT_ONCE = 200  # referrals settled in one transaction


@dataclass(frozen=True, slots=True)
class Referral:
    """A referral that was recorded, and the points that each side is given once the referred member buys."""

    referral_no: int
    referrer_points: int
    referred_points: int

    @property
    def told(self) -> str:
        """What it brings, in a line."""
        brings = f"{self.referrer_points:,} points to who referred and {self.referred_points:,} to who came"
        return f"referral {self.referral_no}: {brings}, once the latter has bought"


def refer(
    connection: Connection, referrer: str, referred: str, now: datetime, traits: Mapping[str, str] | None = None
) -> Referral:
    """Record that a member (by customer_id) referred another; `traits` are a card, address, device of the latter.

    Raises NotFound for no member; Refused where the rules give nothing, the other was referred or has bought before,
    or the two share a card, an address, a device, an e-mail address or a phone number.
    """
    rules = triggers.rules_at(connection, now)
    if not (rules.referral_points or rules.referred_points):
        raise Refused("the rules give no points for referrals")
    one, other = (_number(connection, customer_id) for customer_id in (referrer, referred))
    for customer_id in [name for _, name in sorted({one: referrer, other: referred}.items())]:
        triggers.locked(connection, customer_id)
    triggers.keep_traits(connection, other, traits or {}, now)
    made = run(
        connection,
        "referrals/refer",
        referrer=one,
        referred=other,
        referrer_points=rules.referral_points,
        referred_points=rules.referred_points,
        year_max=rules.referral_year_max,
        at=now,
    ).one()
    if made.refusal is not None:
        raise Refused(made.refusal)
    return Referral(made.referral_no, rules.referral_points, rules.referred_points)


def open_of(connection: Connection, customer_id: str) -> int | None:
    """The open referral by which a customer came, both accounts locked in order: before the purchase locks one."""
    found = run(connection, "referrals/open_of", customer_id=customer_id).one_or_none()
    return None if found is None else int(found.referral_no)


def settle(connection: Connection, referral_nos: list[int], now: datetime) -> int:
    """Give what these referrals bring where the referred member has bought; how many grants."""
    members = run(connection, "referrals/settle", referral_nos=referral_nos, at=now).one()
    if members.first_member is None:
        return 0
    return triggers.tell_and_post(connection, members.first_member, members.stop_member, now)


def due(connection: Connection, after: int) -> list[int]:
    """The next open referrals after a number whose referred member has bought."""
    return list(run(connection, "referrals/due", after=after, most=AT_ONCE).scalars())


def _number(connection: Connection, customer_id: str) -> int:
    member_no: int | None = run(connection, "api/member_number", customer_id=customer_id).scalar_one_or_none()
    if member_no is None:
        raise NotFound("there is no member with this customer_id")
    return member_no

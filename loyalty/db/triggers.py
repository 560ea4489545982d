"""Points for more than purchases, as they happen: registering, a complete profile, sharing. Each once by its key.

Others are in modules of their own: check-ins, referrals, adjustments, and what the daily run finds (milestones). What
a trigger gives is a rule, and 0 there is off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from loyalty.db import enrolment, grants
from loyalty.db.grants import Grant
from loyalty.db.programme import zone
from loyalty.db.programme_secrets import keyed_hash
from loyalty.db.statements import run
from loyalty.errors import AlreadyGiven, BadInput, NotFound, NotMigrated, Refused
from loyalty.rules.periods import period_of
from loyalty.rules.programme import Programme
from loyalty.rules.toml import parse

TRAITS = ("card", "address", "device")
"""What tells one person who comes as two; given with a member's fields or a referral, kept as keyed hashes only."""

ONCE = "once"


@dataclass(frozen=True, slots=True)
class Given:
    """Points that a trigger gave to a member; `balance` is right after it."""

    member_no: int
    points: int
    balance: int

    @property
    def told(self) -> str:
        """What was given, in a line."""
        return f"{self.points:,} points, balance {self.balance:,}"


@dataclass(frozen=True, slots=True)
class Work:
    """What to look for of a trigger: `days` and the `points` of each, as loyalty.due_grants takes them."""

    kind: grants.GrantKind
    days: list[date]
    points: list[int]
    visits_each: int = 1


def rules_at(connection: Connection, now: datetime) -> Programme:
    """The rules in force at an instant. Raises NotMigrated if none ever were installed."""
    found = run(connection, "reads/rules_in_force", period=period_of(now, zone(connection))).one_or_none()
    if found is None:
        raise NotMigrated("no rules are installed: run `loyalty migrate`")
    return parsed(found.document)


@lru_cache(maxsize=64)
def parsed(document: str) -> Programme:
    """The rules of a stored version: read once a process, since tills ask at each of many requests."""
    return parse(document, "the rules in force")


def today(connection: Connection, now: datetime) -> date:
    """The day of an instant in the programme's zone."""
    return now.astimezone(zone(connection)).date()


def locked(connection: Connection, customer_id: str) -> int:
    """Lock a member's account, as everything does first; the number. Raises NotFound if there is no such member."""
    member_no: int | None = run(connection, "triggers/lock_account", customer_id=customer_id).scalar_one_or_none()
    if member_no is None:
        raise NotFound("there is no member with this customer_id")
    return member_no


def give(connection: Connection, member_no: int, grant: Grant, now: datetime) -> bool:
    """Give a member points, with the message that tells of them; False if the same was given before."""
    given = run(
        connection,
        "grants/grant_points",
        member_no=member_no,
        kind=grant.kind,
        occasion=grant.occasion,
        points=grant.points,
        reason=grant.reason,
        at=now,
    )
    if given.scalar_one_or_none() is None:
        return False
    tell_and_post(connection, member_no, member_no + 1, now)
    return True


def tell_and_post(connection: Connection, first_member: int, stop_member: int, now: datetime) -> int:
    """Queue the messages of what is granted to members of a half-open range, and post it; how many grants."""
    run(connection, "triggers/tell_grants", first_member=first_member, stop_member=stop_member, at=now)
    return grants.post(connection, first_member, stop_member, now)


def put_member(connection: Connection, customer_id: str, given: Mapping[str, Any], now: datetime) -> bool:
    """Enrol a customer or change a member (`enrolment.put_member`), and give what the rules give for it.

    `given` may name a card, an address and a device: only hashes are kept. Whether the customer was unknown.
    """
    rules = rules_at(connection, now)
    fields = {name: value for name, value in given.items() if name not in TRAITS}
    traits = {name: given[name] for name in TRAITS if given.get(name) is not None}
    if not (rules.registration_points or rules.profile_points or traits):
        return enrolment.put_member(connection, customer_id, fields, now)
    run(connection, "triggers/lock_customer", customer_id=customer_id)  # who isn't known has no account to lock
    run(connection, "triggers/lock_account", customer_id=customer_id)  # before the member's row is written
    enrolled = enrolment.put_member(connection, customer_id, fields, now)
    member_no = locked(connection, customer_id)
    keep_traits(connection, member_no, traits, now)
    if enrolled and rules.registration_points:
        give(connection, member_no, Grant("registration", ONCE, rules.registration_points), now)
    if rules.profile_points:
        profile = Work("profile", [today(connection, now)], [rules.profile_points])
        grant_due(connection, profile, (member_no, member_no + 1), now)
        tell_and_post(connection, member_no, member_no + 1, now)
    return enrolled


def grant_due(connection: Connection, work: Work, members: tuple[int, int], now: datetime) -> int:
    """Grant what members of a half-open range are due for and don't have; not posted yet. How many grants."""
    granted: int = run(
        connection,
        "triggers/grant_due",
        kind=work.kind,
        first_member=members[0],
        stop_member=members[1],
        days=work.days,
        points=work.points,
        visits_each=work.visits_each,
        at=now,
    ).scalar_one()
    return granted


def keep_traits(connection: Connection, member_no: int, traits: Mapping[str, str], now: datetime) -> None:
    """Keep keyed hashes of a member's card, address or device; case, blanks and punctuation make no other one."""
    for trait, text in traits.items():
        plain = "".join(symbol for symbol in text.casefold() if symbol.isalnum())
        if not plain:
            raise BadInput(f"/{trait}: holds no letter and no digit")
        digest = keyed_hash(connection, "traits", f"{trait}:{plain}", now)
        run(connection, "triggers/keep_trait", member_no=member_no, trait=trait, digest=digest)


def share(connection: Connection, customer_id: str, channel: str, now: datetime) -> Given:
    """Give points for sharing on a channel: once a day of the programme and channel.

    Raises AlreadyGiven if that was given, NotFound for no member, BadInput for a channel that the rules don't list,
    Refused where the rules give nothing.
    """
    rules = rules_at(connection, now)
    if not rules.share_points:
        raise Refused("the rules give no points for sharing")
    if channel not in rules.share_channels:
        raise BadInput(f"/channel: must be one of {', '.join(rules.share_channels)}")
    member_no = locked(connection, customer_id)
    occasion = f"{today(connection, now)} {channel}"
    if not give(connection, member_no, Grant("share", occasion, rules.share_points), now):
        raise AlreadyGiven("points for sharing on this channel were given today already")
    return given_now(connection, member_no, rules.share_points, now)


def given_now(connection: Connection, member_no: int, points: int, now: datetime) -> Given:
    """What was given, with the balance after it."""
    standing = run(connection, "till/standing", member_no=member_no, at=now).one()
    return Given(member_no, points, standing.balance)

"""Points given for anything but a purchase: granted once for each member, kind and occasion, then posted."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from loyalty.db.statements import run

GrantKind = Literal[
    "bonus",
    "adjust",
    "registration",
    "profile",
    "referral",
    "share",
    "check_in",
    "birthday",
    "anniversary",
    "visits",
    "campaign",
]


@dataclass(frozen=True, slots=True)
class Grant:
    """What is given, above 0 points. `occasion` makes it one of its kind for a member ("2026" of a birthday).

    Neither it nor `reason` may hold personal data: both are shown with the entry.
    """

    kind: GrantKind
    occasion: str
    points: int
    reason: str | None = None


def give(connection: Connection, member_no: int, grant: Grant, now: datetime) -> bool:
    """Give a member points and post them; False, with nothing done, if the same was given before."""
    given = run(connection, "grants/grant_points", member_no=member_no, **asdict(grant), at=now)
    if given.scalar_one_or_none() is None:
        return False
    post(connection, member_no, member_no + 1, now)
    return True


def post(connection: Connection, first_member: int, stop_member: int, now: datetime) -> int:
    """Post what is granted to members of a half-open range and not posted yet; how many grants."""
    posted: int = run(
        connection, "grants/post_grants", first_member=first_member, stop_member=stop_member, at=now
    ).scalar_one()
    if posted:
        run(connection, "ledger/pay_debts", first_member=first_member, stop_member=stop_member)
    return posted

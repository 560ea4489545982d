"""What still comes to a member who is merged into another, such as the points of a redemption that is undone."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from loyalty.db.statements import run


@dataclass(frozen=True, slots=True)
class Lost:
    """A member, and the one it is merged into."""

    member_no: int
    kept_no: int


def of_redemption(connection: Connection, redemption_no: int) -> Lost | None:
    """Whose redemption it is, if that member is merged into another; both accounts are then locked."""
    found = run(connection, "identity/members_of_redemption", redemption_no=redemption_no).one_or_none()
    if found is None:
        return None
    run(connection, "identity/lock_members", members=[found.member_no, found.merged_into])
    return Lost(found.member_no, found.merged_into)


def follow(connection: Connection, lost: Lost, now: datetime) -> None:
    """Bring points that came to a lost member since, or debts, to the kept one; the caller holds both accounts."""
    if run(connection, "identity/follow_merge", member_no=lost.member_no, at=now).scalar_one():
        run(connection, "ledger/pay_debts", first_member=lost.kept_no, stop_member=lost.kept_no + 1)

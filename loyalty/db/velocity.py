"""Limits of the rules: what is done is counted in the transaction that does it, and held where that is too much.

Exact under any number of clients: who counts the same waits for whoever counted before. What is held is rolled back
with its count; what a person releases is counted, and not judged.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection

from loyalty.db.statements import run
from loyalty.errors import Held
from loyalty.rules.programme import Programme

COUNTS_KEPT = timedelta(days=62)
"""How long what was counted is kept: a month after its own."""
_DONE = {"earn": "purchases", "redeem": "redemptions"}
_PER = {"member": "member", "till": "till", "staff": "member of staff", "location": "location"}


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done: points above 0, and where known at which till, by whom and where."""

    kind: Literal["earn", "redeem"]
    member_no: int
    points: int
    happened_at: datetime
    till: str | None = None
    staff: str | None = None
    location: str | None = None


def add_limits(connection: Connection, version: int, programme: Programme) -> None:
    """Store the limits of a version of the rules."""
    limits = programme.velocity
    if limits:
        run(
            connection,
            "velocity/add_limits",
            version=version,
            kinds=[limit.kind for limit in limits],
            pers=[limit.per for limit in limits],
            spans=[limit.window for limit in limits],
            measures=[limit.of for limit in limits],
            mosts=[limit.most for limit in limits],
            hours=[limit.hours for limit in limits],
        )


def count(connection: Connection, deed: Deed, *, released: bool = False) -> None:
    """Count what was done in this transaction. Raises Held if it breaks a limit, unless a person has released it."""
    broken = run(connection, "velocity/count_deed", **asdict(deed)).one_or_none()
    if broken is not None and not released:
        what = f"points of {_DONE[deed.kind]}" if broken.measure == "points" else _DONE[deed.kind]
        limit = {"kind": deed.kind, "per": broken.per, "window": broken.span, "of": broken.measure, "most": broken.most}
        raise Held(f"more than {broken.most} {what} of one {_PER[broken.per]} in one {broken.span}", limit)


def after_change(connection: Connection, member_no: int, now: datetime, *, released: bool = False) -> None:
    """Raise Held if a redemption comes too soon after a change of contact data, unless it is released."""
    kind = "redeem_after_change"
    hours = _too_soon(connection, kind, member_no, now)
    if hours is not None and not released:
        raise Held(f"a redemption within {hours} hours of a change of contact data", {"kind": kind, "hours": hours})


def after_redemption(connection: Connection, member_no: int, now: datetime, *, released: bool = False) -> None:
    """Raise Held if a refund comes too soon after a redemption of the same member, unless it is released."""
    kind = "refund_after_redemption"
    hours = _too_soon(connection, kind, member_no, now)
    if hours is not None and not released:
        raise Held(f"a refund within {hours} hours of a redemption", {"kind": kind, "hours": hours})


def forget(connection: Connection, now: datetime) -> None:
    """Forget what was counted longer ago than COUNTS_KEPT."""
    run(connection, "velocity/forget_counts", before=now - COUNTS_KEPT)


def _too_soon(connection: Connection, kind: str, member_no: int, now: datetime) -> int | None:
    hours: int | None = run(connection, "velocity/too_soon", kind=kind, member_no=member_no, at=now).scalar()
    return hours

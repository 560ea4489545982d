"""Manual adjustments: staff give or take points, with a reason code; above a limit a second person approves.

The database itself posts none above the limit without one (constraint adjustments_need_two_people). Points are given as
any grant is, and taken by the very statement that takes those of a refund, with the rules' policy where too few are
left.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import Connection

from loyalty.db import accrual, approvals, triggers
from loyalty.db.accrual import Debit
from loyalty.db.grants import Grant
from loyalty.db.statements import run
from loyalty.errors import BadInput, NotFound, Refused

KIND: Final = "adjustment"
State = Literal["posted", "waiting", "rejected", "lapsed"]


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An adjustment as it stands. `points` are below zero where they are taken; `note` is staff's own words."""

    adjustment_no: int
    member_no: int
    erased: bool
    points: int
    reason: str
    note: str | None
    asked_by: str
    asked_at: datetime
    alone_max: int
    approval_no: int | None
    approved_by: str | None
    state: State
    posted_at: datetime | None

    @property
    def told(self) -> str:
        """How it stands, in a line."""
        if self.state == "waiting":
            return f"adjustment {self.adjustment_no} waits for approval {self.approval_no}: a second person decides"
        if self.state == "posted":
            return f"adjustment {self.adjustment_no} posted: {self.points:+,} points"
        return f"adjustment {self.adjustment_no} is {self.state}: nothing was posted"


def adjust(
    connection: Connection,
    customer_id: str,
    points: int,
    *,
    reason: str,
    note: str,
    by: str,
    now: datetime,
    request: str | None = None,
) -> Adjustment:
    """Give a member points, or take them where below zero; what is above the limit of the rules waits for a second one.

    The same `request` again is the same adjustment, however that stands by now. Raises BadInput for a reason that the
    rules don't list or 0 points, NotFound for no member, WrongUse for no handle.
    """
    rules = triggers.rules_at(connection, now)
    author = approvals.checked_name(by)
    if author == "system":
        raise BadInput("/author: system is no person")
    if reason not in rules.adjust_reasons:
        raise BadInput(f"/reason: must be one of {', '.join(rules.adjust_reasons)}")
    if points == 0:
        raise BadInput("/points: must not be 0")
    member_no = triggers.locked(connection, customer_id)
    asked = run(
        connection,
        "adjustments/ask",
        member_no=member_no,
        points=points,
        reason=reason,
        note=note.strip() or None,
        asked_by=author,
        request=request,
        at=now,
    ).one_or_none()
    if asked is None:
        return listed(connection, request=request)[0]
    if abs(points) <= asked.alone_max:
        _post(connection, find(connection, asked.adjustment_no), None, now)
    else:
        _ask(connection, find(connection, asked.adjustment_no), rules.review_days, now)
    return find(connection, asked.adjustment_no)


def find(connection: Connection, adjustment_no: int) -> Adjustment:
    """The adjustment of that number. Raises NotFound if there is none."""
    found = listed(connection, adjustment_no=adjustment_no)
    if not found:
        raise NotFound("there is no adjustment with this number")
    return found[0]


def of_approval(connection: Connection, approval_no: int) -> Adjustment:
    """The adjustment that an approval is about. Raises Refused if there is none."""
    found = listed(connection, approval_no=approval_no)
    if not found:
        raise Refused(f"approval {approval_no} is about no adjustment")
    return found[0]


def listed(
    connection: Connection,
    *,
    adjustment_no: int | None = None,
    approval_no: int | None = None,
    request: str | None = None,
    most: int = 1,
) -> list[Adjustment]:
    """The newest adjustments, or the one of that number, approval or request."""
    which = {"adjustment_no": adjustment_no, "approval_no": approval_no, "request": request}
    rows = run(connection, "adjustments/list", **which, most=most).mappings()
    return [Adjustment(**row) for row in rows]


def post_approved(connection: Connection, approval_no: int, by: str, now: datetime) -> str | approvals.Effect:
    """Post an approved adjustment, in the decision's transaction, and say so; it lapses if the member is erased."""
    asked = of_approval(connection, approval_no)
    if asked.erased:
        return approvals.Effect("lapsed", "lapsed, and nothing posted: the member is erased")
    _post(connection, asked, by, now)
    return f"{asked.points:+,} points posted to M{asked.member_no}"


def _ask(connection: Connection, asked: Adjustment, days: int, now: datetime) -> None:
    approval_no = approvals.ask(
        connection,
        KIND,
        f"{asked.adjustment_no}, {asked.points:+,} points for M{asked.member_no}, {asked.reason}",
        asked_by=asked.asked_by,
        asked_at=now,
        due_at=now + timedelta(days=days),
    )
    run(connection, "adjustments/await", adjustment_no=asked.adjustment_no, approval_no=approval_no)


def _post(connection: Connection, asked: Adjustment, approved_by: str | None, now: datetime) -> None:
    run(connection, "adjustments/lock", member_no=asked.member_no)
    if asked.points > 0:
        grant = Grant("adjust", str(asked.adjustment_no), asked.points, asked.reason)
        triggers.give(connection, asked.member_no, grant, now)
    else:
        if run(connection, "till/release_lapsed", member_no=asked.member_no, at=now).scalar_one():
            accrual.pay_debts(connection, asked.member_no)
        staged = run(connection, "adjustments/stage_debit", adjustment_no=asked.adjustment_no, at=now).one()
        accrual.take(connection, Debit(staged.member_no, staged.period, staged.cause, staged.shortfall), now)
    run(connection, "adjustments/settle", adjustment_no=asked.adjustment_no, approved_by=approved_by, at=now)

"""Closed months computed as if every transaction had been known in its own month: the difference, shown, then posted.

What the difference is. A row that stands (neither corrected nor a reversal) is *due* in the month in which it happened,
or in the first closed one if that is later. The months are computed in order from these rows: steps 1 to 5 of a close,
by the rules of each month and with what its close was told of reviews, each month opening in the state in which the
computed month before it was left. What managers decided one by one is a fact: it stands from its instant on where it is
above the tier computed, and no other decision is invented, so an upgrade that only a manager may give is not computed.

    due(m)   the points of the computed month m: floor(exact sum through m) - floor(exact sum through m - 1)
    had(m)   the same difference of floors, of the same rows in the same order, as they were really rated wherever they
             are booked; a late row in a month that is still open counts as posted, since its close posts it
    points   due(m) - had(m) - what earlier recomputes posted of m

So a row that only came late makes no difference by itself, as its points were posted where it is booked; it makes one
where, known in time, it would have brought another tier, and other sales another multiplier. The difference of a month
doesn't depend on the months asked for: the months before, from the first one that a late or corrected row touches,
are always computed too. Only members with such rows are computed; the others' months are what they would be. Posted in
the earliest open month: an entry for each member, month corrected and revision of that month, counted as adjusted. No
past tier, statement or entry changes, and since the exact sums don't either, another recompute finds nothing.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from loyalty.db import approvals
from loyalty.db.closing import COMPUTED, Close, run_step
from loyalty.db.engine import connect, transaction
from loyalty.db.imports.transactions import hold_periods
from loyalty.db.locks import advisory_lock
from loyalty.db.rules_versions import read_version
from loyalty.db.simulation import simulated_run
from loyalty.db.statements import parameters, run
from loyalty.errors import Refused
from loyalty.rules.periods import display_period

Told = Callable[[date, int, int], None]
"""Hears of each month that is computed: the month, the how-manieth it is, and of how many."""

OPERATOR = "operator"  # who asks, where nobody says who
_LOCK = 7_031_005  # one recompute at a time in a database, and none is posted meanwhile
_CORRECTED = 10_000  # an entry's cause is the month as yyyymm, times this, plus the month's revision


@dataclass(frozen=True, slots=True)
class MonthDifference:
    """A month: members considered, members whose points differ, points to credit and to debit, other tiers then."""

    period: date
    considered: int
    members: int
    credited: int
    debited: int
    tiers: int


@dataclass(frozen=True, slots=True)
class MemberDifference:
    """A member's month. `points` = `points_due` - `points_had` - `points_before` is to be posted; tiers by name."""

    member_no: int
    period: date
    points_due: int
    points_had: int
    points_before: int
    points: int
    qualifying_points: int
    tier_had: str
    tier_due: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What a recompute comes to: its months with somebody to consider, and the members who differ most.

    `approval_no` is None where nothing is to be posted.
    """

    recompute_no: int
    first: date
    last: date
    months: tuple[MonthDifference, ...]
    members: tuple[MemberDifference, ...]
    approval_no: int | None

    @property
    def unchanged(self) -> bool:
        """Whether there is nothing to post."""
        return not any(month.members for month in self.months)


def recompute(
    first: date, last: date, *, by: str, now: datetime, most: int = 50, told: Told = lambda _month, _number, _of: None
) -> Difference:
    """Compute closed months anew and, where points differ, ask in the name `by` for them to be posted.

    The same again while that waits is the same; other figures, or the same once its time is over, take its place.
    `most` members are told of. Raises Refused for months that are not closed, WrongUse for a name that is none, and
    what the steps raise.
    """
    asked_by = approvals.checked_name(by)
    with connect() as alive, advisory_lock(alive, _LOCK):
        with transaction() as connection:
            _check_closed(connection, first, last)
            run(connection, "recompute/clear_unfinished")
            recompute_no = run(
                connection,
                "recompute/begin_recompute",
                first_period=first,
                last_period=last,
                asked_by=asked_by,
                asked_at=now,
            ).scalar_one()
            run(connection, "recompute/find_scope", recompute_no=recompute_no, last_period=last)
            run(connection, "recompute/gather_rows", recompute_no=recompute_no, last_period=last)
            months = run(connection, "recompute/months_in_scope", recompute_no=recompute_no, last_period=last).all()
        for number, month in enumerate(months, start=1):
            _compute(recompute_no, month)
            told(month.period, number, len(months))
        with transaction() as connection:
            alive.execute(text("select 1"))  # a server that was started anew has lost the rows, and this connection
            run(connection, "recompute/forget_work", recompute_no=recompute_no, first_period=first)
            return _ask(connection, _read(connection, recompute_no, most), asked_by, now, most)


def of_approval(connection: Connection, approval_no: int, *, most: int) -> Difference:
    """The difference that waits, or was decided, under an approval. Raises Refused if there is none."""
    found = run(connection, "recompute/find_recompute", recompute_no=None, approval_no=approval_no).one_or_none()
    if found is None:
        raise Refused(f"approval {approval_no} is about no recompute")
    return _read(connection, found.recompute_no, most)


def post(connection: Connection, approval_no: int, _by: str, now: datetime) -> str:
    """Post an approved difference in the earliest open month, in the caller's transaction; what was done, in a line."""
    found = run(connection, "recompute/find_recompute", recompute_no=None, approval_no=approval_no).one()
    if not connection.execute(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar_one():
        raise Refused("closed months are being computed anew just now: decide when that is done")
    period = hold_periods(connection, [found.last_period]) or found.last_period
    terms = run(connection, "closing/find_terms", period=period).one()
    ends_at = run(connection, "closing/find_period", period=period).one().ends_at
    posted_at = min(now, ends_at)
    members = {"first_member": terms.first_member, "stop_member": terms.stop_member}
    run(connection, "ledger/expire_lots", **members, as_of=posted_at, recorded_at=now, closing=None)
    staged = run(connection, "recompute/stage_difference", recompute_no=found.recompute_no).all()
    for month in staged:
        _post_month(connection, month, period, terms, posted_at=posted_at, recorded_at=now)
    causes = [(month.period.year * 100 + month.period.month) * _CORRECTED + month.revision for month in staged]
    done = run(connection, "recompute/settle_accounts", period=period, revisions=causes).one()
    run(connection, "recompute/end_recompute", recompute_no=found.recompute_no, period=period, posted_at=now)
    return (
        f"+{done.credited:,} and -{done.debited:,} points posted to {done.members:,} members "
        f"in {display_period(period)}"
    )


def _check_closed(connection: Connection, first: date, last: date) -> None:
    for period in (first, last):
        if run(connection, "closing/find_period", period=period).one().state != "closed":
            raise Refused(f"{display_period(period)} is not closed: a recompute is of closed months")


def _compute(recompute_no: int, month: Row[Any]) -> None:
    """Compute a month for the members in scope, in working tables of its own, and keep what it comes to."""
    with simulated_run(month.period) as simulated:
        close = replace(
            simulated,
            recompute_no=recompute_no,
            reviews=month.reviews,
            recorded_at=month.started_at,
            spend_window="period",  # nothing here asks what was spent
        )
        for name in COMPUTED:
            if name == "get_recent_transactions":
                _run(close, "recompute/rate_rows")
            run_step(name, close, close.members)
        _run(close, "recompute/keep_month")


def _run(close: Close, name: str) -> None:
    """Run a statement of ours with what it asks for of the month."""
    known = asdict(close)
    with transaction() as connection:
        run(connection, name, **{wanted: known[wanted] for wanted in parameters(name)})


def _read(connection: Connection, recompute_no: int, most: int) -> Difference:
    found = run(connection, "recompute/find_recompute", recompute_no=recompute_no, approval_no=None).one()
    months = run(connection, "recompute/months_of_difference", recompute_no=recompute_no).mappings()
    members = run(connection, "recompute/members_of_difference", recompute_no=recompute_no, most=most).mappings()
    return Difference(
        recompute_no=recompute_no,
        first=found.first_period,
        last=found.last_period,
        months=tuple(MonthDifference(**row) for row in months),
        members=tuple(MemberDifference(**row) for row in members),
        approval_no=found.approval_no,
    )


def _ask(connection: Connection, found: Difference, by: str, now: datetime, most: int) -> Difference:
    """Ask for a difference to be posted, unless there is none or the same one waits; others of its months lapse."""
    number = found.recompute_no
    same: int | None = run(connection, "recompute/find_same", recompute_no=number, as_of=now).scalar()
    if same is not None:
        run(connection, "recompute/drop_recompute", recompute_no=number)
        return _read(connection, same, most)
    _overtake(connection, number, now)
    if found.unchanged:
        run(connection, "recompute/drop_recompute", recompute_no=number)
        return found
    terms = run(connection, "closing/find_terms_now", as_of=now).one()
    days = read_version(connection, terms.version).review_days
    approval_no = approvals.ask(
        connection,
        "recompute",
        f"{display_period(found.first)} to {display_period(found.last)} no. {number}",
        asked_by=by,
        asked_at=now,
        due_at=now + timedelta(days=days),
    )
    run(connection, "recompute/keep_approval", recompute_no=number, approval_no=approval_no)
    return replace(found, approval_no=approval_no)


def _overtake(connection: Connection, recompute_no: int, now: datetime) -> None:
    """Let recomputes lapse that wait and would post some of the same again."""
    overtaken = run(connection, "recompute/find_overtaken", recompute_no=recompute_no).scalars().all()
    for approval in approvals.lock(connection, overtaken):
        run(
            connection,
            "approvals/record_decision",
            approval_no=approval.approval_no,
            state="lapsed",
            decided_by="system",
            decided_at=now,
            note=None,
            told="lapsed: the same months were computed anew",
        )


def _post_month(
    connection: Connection,
    month: Row[Any],
    period: date,
    terms: Row[Any],
    *,
    posted_at: datetime,
    recorded_at: datetime,
) -> None:
    """Post a month's debits, then its credits, from the working tables; credits first pay what is owed."""
    run(
        connection,
        "ledger/take_points",
        run_no=0,
        period=period,
        first_member=month.first_member,
        stop_member=month.stop_member,
        rank=month.rank,
        as_of=posted_at,
        recorded_at=recorded_at,
        shortfall=terms.shortfall,
        revision=month.revision,
    )
    run(
        connection,
        "recompute/credit_points",
        period=period,
        rank=month.rank,
        revision=month.revision,
        posted_at=posted_at,
        recorded_at=recorded_at,
        expires_at=terms.expires_at,
    )
    run(connection, "ledger/pay_debts", first_member=month.first_member, stop_member=month.stop_member)

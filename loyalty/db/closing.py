"""The close of a period, and the moves that a manager's decision brings: the order, the terms, each step's statements.

The order of things is the flow's; what a step means is its SQL's. Here is what both need: the lock, the run, the
terms of the rules, the marks, and the transactions.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, Row, text

from loyalty.db import redemptions
from loyalty.db.engine import connect, transaction
from loyalty.db.locks import advisory_lock
from loyalty.db.rules_versions import discard
from loyalty.db.statements import parameters, run
from loyalty.errors import Refused, WorkLost
from loyalty.rules.periods import display_period, following

Reviews = Literal["hold", "approve"]

COMPUTED = (
    "retrieve_customer_profile",
    "get_recent_transactions",
    "calculate_total_monthly_spend",
    "calculate_loyalty_points_earned",
    "determine_tier_eligibility",
)  # steps 1 to 5: into the run's working tables, a batch at a time, each with its mark
_WRITTEN = dict(
    zip(COMPUTED, ("work_profiles", "work_transactions", "work_spend", "work_points", "work_tiers"), strict=True)
)
EXPIRING = 2  # ranges at once: a million lots in half the time
RANGE = 20_000  # members committed at once, so that tills never wait for a million rows
MOVING = (
    "update_loyalty_tier",
    "create_reward_voucher",
    "verify_physical_gift_dispatch",
    "send_tier_upgrade_notification",
)  # steps 7, 8, 10, 11: what an approved upgrade takes
CUT = ("get_recent_transactions", "determine_tier_eligibility")  # done range by range: their joins stay in the caches
SIMULATION_LOCK = 7_031_002  # with a run's number: that simulation is alive
SIMULATION_BEGINS = 7_031_003  # held while a simulation has its run, but not yet that lock
CLOSING = 7_031_001  # the advisory lock of closing: one close at a time in a database


@dataclass(frozen=True, slots=True)
class Batch:
    """The members with first <= member_no < stop."""

    first: int
    stop: int

    def cut(self, wanted: int) -> tuple["Batch", ...]:
        """At most so many batches of equal width; wide ones in whole ranges."""
        width = max(1, -(-(self.stop - self.first) // wanted))
        if width > RANGE:
            width = -(-width // RANGE) * RANGE
        return tuple(Batch(first, min(first + width, self.stop)) for first in range(self.first, self.stop, width))

    def ranges(self) -> Iterator["Batch"]:
        """Cut the batch into ranges that are committed one by one."""
        for first in range(self.first, self.stop, RANGE):
            yield Batch(first, min(first + RANGE, self.stop))


@dataclass(frozen=True, slots=True)
class Moves:
    """Moves that take effect at one instant: what steps 7, 8, 10 and 11 need. `period` is None for decided reviews."""

    period: date | None
    moved_at: datetime
    recorded_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Close(Moves):
    """A close under way, or simulated: the terms of its rules and its run's number. Instants are UTC.

    `moved_at` and `as_of` are the end of the period; `expires_at` is None where points never expire. `batches` are its
    `members` as its working tables are cut: steps 1 to 5 take one of them at a time. `recompute_no`: the month is
    computed anew for a recompute.
    """

    period: date
    run_no: int
    starts_at: datetime
    as_of: datetime
    shortfall: str
    spend_window: str
    available_at: datetime
    expires_at: datetime | None
    pending_periods: list[date]
    reviews: Reviews
    decided_by: str | None
    notify: bool
    simulated: bool
    closed: bool
    candidate: int | None
    members: Batch
    batches: tuple[Batch, ...]
    recompute_no: int | None = None


@dataclass(frozen=True, slots=True)
class Digests:
    """What a close was made of and what it made, as sums of row hashes; and how many statements."""

    input_digest: Decimal
    statements: int
    output_digest: Decimal


@contextmanager
def closing_lock() -> Iterator[Callable[[], None]]:
    """Hold the one lock of closing; waits for another close. The server frees it when the process dies.

    What it gives makes sure that the lock is still held: Unavailable is raised if the server was restarted meanwhile.
    """
    with connect() as connection, advisory_lock(connection, CLOSING):

        def check_held() -> None:
            connection.execute(text("select 1"))
            connection.commit()

        yield check_held


def check_order(connection: Connection, period: date, *, now: datetime) -> bool:
    """Whether the period is to be closed: False if it is closed. Raises Refused out of order or before its end."""
    found = run(connection, "closing/find_period", period=period).one()
    if found.state == "closed" or (found.oldest_closed and period < found.oldest_closed):
        return False
    if found.ends_at > now:
        raise Refused(f"{display_period(period)} has not ended by the programme clock: it can be simulated, not closed")
    earliest = found.closing or (following(found.newest_closed) if found.newest_closed else found.first_booked)
    if earliest is not None and earliest < period:
        raise Refused(f"{display_period(earliest)} is still open: close it before {display_period(period)}")
    return True


def begin(
    period: date, *, reviews: Reviews, decided_by: str | None, notify: bool, recorded_at: datetime, batches: int = 1
) -> Close | None:
    """Start or restart the close of a period; None if it is closed. The caller holds `closing_lock`.

    Raises Refused out of order or before the period's end (by `recorded_at`, the programme clock's now).
    """
    with transaction() as connection:
        if not check_order(connection, period, now=recorded_at):
            return None
        connection.execute(text("select loyalty.ensure_period(:period)"), {"period": period})
        connection.execute(text("select loyalty.ensure_statements(:period)"), {"period": period})
    redemptions.release_lapsed(recorded_at)  # while the month is open: what was held in it comes back in it
    with transaction() as connection:
        run(connection, "closing/begin_closing", period=period)
        drop_dead_runs(connection, closing=True)
    close = open_run(
        period, reviews=reviews, decided_by=decided_by, notify=notify, recorded_at=recorded_at, batches=batches
    )
    with transaction() as connection:
        kept = run(
            connection,
            "closing/record_close",
            period=period,
            version=close.version,
            reviews=reviews,
            approved_by=decided_by,
            notify=notify,
            started_at=recorded_at,
        ).one()
    expire_points(close.members, as_of=close.as_of, recorded_at=recorded_at, closing=period)
    return replace(close, reviews=kept.reviews, decided_by=kept.approved_by)


def expire_points(
    members: Batch, *, as_of: datetime, recorded_at: datetime, closing: date | None = None
) -> tuple[int, int]:
    """Record what expired up to `as_of`, range by range, two at once; the number of lots, and their points.

    `closing` is the period being closed, which still takes what expired in it.
    """

    def expire(part: Batch) -> Row[tuple[int, int]]:
        with transaction() as connection, _hashing(connection):
            return run(
                connection,
                "ledger/expire_lots",
                first_member=part.first,
                stop_member=part.stop,
                as_of=as_of,
                recorded_at=recorded_at,
                closing=closing,
            ).one()

    with ThreadPoolExecutor(EXPIRING, thread_name_prefix="expire") as threads:
        done = list(threads.map(expire, members.ranges()))
    return sum(each.lots for each in done), sum(each.points for each in done)


def open_run(
    period: date,
    *,
    recorded_at: datetime,
    reviews: Reviews = "hold",
    decided_by: str | None = None,
    notify: bool = False,
    simulated: bool = False,
    candidate: int | None = None,
    batches: int = 1,
) -> Close:
    """Make a run's working tables and read the terms of the period's rules, or of a candidate version."""
    with transaction() as connection:
        see_candidate(connection, candidate)
        bounds = run(connection, "closing/find_period", period=period).one()
        terms = run(connection, "closing/find_terms", period=period).one()
        members = Batch(terms.first_member, terms.stop_member)
        parts = members.cut(batches)
        run_no = run(
            connection,
            "closing/open_run",
            period=period,
            simulated=simulated,
            candidate=candidate,
            started_at=recorded_at,
            first_members=[part.first for part in parts],
        ).scalar_one()
    return Close(
        period=period,
        moved_at=bounds.ends_at,
        recorded_at=recorded_at,
        version=terms.version,
        run_no=run_no,
        starts_at=bounds.starts_at,
        as_of=bounds.ends_at,
        shortfall=terms.shortfall,
        spend_window=terms.spend_window,
        available_at=terms.available_at,
        expires_at=terms.expires_at,
        pending_periods=terms.pending_periods,
        reviews=reviews,
        decided_by=decided_by,
        notify=notify,
        simulated=simulated,
        closed=bounds.state == "closed",
        candidate=candidate,
        members=members,
        batches=parts,
    )


def see_candidate(connection: Connection, version: int | None) -> None:
    """Let this transaction, and no other, see a candidate version of the rules as if it were in force."""
    if version is not None:
        connection.execute(text("select set_config('loyalty.candidate', :version, true)"), {"version": str(version)})


def run_step(name: str, moves: Moves, batch: Batch) -> int:
    """Run the statement sql/steps/NAME.sql for a batch; the rows it wrote. Again is safe, as its header says."""
    if isinstance(moves, Close) and name in COMPUTED:
        return _compute(name, moves, batch)
    if isinstance(moves, Close) and name == "update_customer_points_balance":
        with connect() as connection:
            return sum(_post(connection, moves, part) for part in batch.ranges())
    written = 0
    with connect() as connection:
        for part in batch.ranges():
            with _unhurried(connection):
                # a server that crashed has lost the mark, and maybe the steps before this one
                if isinstance(moves, Close):
                    _require_mark(connection, "update_customer_points_balance", moves, part)
                if name == "assign_loyalty_manager_review":  # what nobody decided in time may be asked again
                    _run(connection, "reviews/lapse_overdue", moves, part)
                with _hashing(connection) if name in MOVING else nullcontext():
                    written += _run(connection, f"steps/{name}", moves, part)
    return written


def _compute(name: str, close: Close, batch: Batch) -> int:
    """One of the steps 1 to 5: the batch and its mark in one transaction; a batch marked already is not done again."""
    with connect() as connection, _unhurried(connection):
        see_candidate(connection, close.candidate)
        done = _mark(connection, name, close, batch)
        if done is not None:
            return done
        before = COMPUTED.index(name) - 1
        if before >= 0:
            _require_mark(connection, COMPUTED[before], close, batch)
        with _PLANNED[name](connection):
            parts = batch.ranges() if name in CUT else (batch,)
            rows = sum(_run(connection, _source(name, close), close, part) for part in parts)
        _run(connection, "closing/key_working_table", close, batch, work_table=_WRITTEN[name])
        _set_mark(connection, name, close, batch, rows)
    _count_rows(_WRITTEN[name])  # the next step's plan needs to know how many there are now
    return rows


def _count_rows(table: str) -> None:
    with transaction() as connection:
        connection.execute(text("set local default_statistics_target = 10"))
        connection.execute(text(f"analyze (skip_locked) loyalty.{table}"))


def _post(connection: Connection, close: Close, part: Batch) -> int:
    """Step 6 for a range, in one transaction: debits, then credits with statements and accounts, then debts."""
    with _unhurried(connection):
        _require_mark(connection, COMPUTED[-1], close, part)
        locked = run(connection, "ledger/lock_accounts", **_chosen("ledger/lock_accounts", close, part)).one()
        for rank in range(1, locked.last_rank + 1):
            _run(connection, "ledger/take_points", close, part, rank=rank, revision=0)
        with _hashing(connection):
            rows = _run(connection, "steps/update_customer_points_balance", close, part)
        if locked.live:
            _even_out(connection, close, part)
        if locked.accounts:
            _run(connection, "ledger/pay_debts", close, part)
        _set_mark(connection, "update_customer_points_balance", close, part, rows)
        return rows


def _even_out(connection: Connection, close: Close, part: Batch) -> None:
    """Even out what real time has posted in months after the one that is closed, without a message."""
    for later in run(connection, "ledger/even_out", **_chosen("ledger/even_out", close, part)).all():
        month = replace(close, period=later.period, shortfall=later.shortfall)
        _run(connection, "ledger/take_points", month, part, rank=later.rank, revision=0)
        _run(connection, "ledger/settle_cause", month, part, cause=later.cause)


def digest(close: Close) -> Digests:
    """Read the digests of what went into a close and what came out, once its statements are written.

    The statements are counted for the planner first: the reports and the next close ask all of them.
    """
    _count_rows(f"statements_{close.period:%Y_%m}")
    with transaction() as connection:
        return Digests(**run(connection, "closing/digest_close", period=close.period).one()._asdict())


def finish(close: Close, digests: Digests, *, finished_at: datetime) -> None:
    """End the close: digests, state closed, working tables dropped. Raises WorkLost if a step's mark is missing."""
    with transaction() as connection:
        covered = run(
            connection, "closing/count_marked_members", run_no=close.run_no, step="update_customer_points_balance"
        ).scalar_one()
        if covered != close.members.stop - close.members.first:
            raise _lost("update_customer_points_balance", close)
        run(connection, "closing/finish_close", period=close.period, finished_at=finished_at, **asdict(digests))
    drop_run(close.run_no)


def apply_moves(connection: Connection, moves: Moves, batch: Batch) -> None:
    """Steps 7, 8, 10 and 11 for an approved upgrade, by the very statements of a close, in the caller's transaction."""
    for name in MOVING:
        _run(connection, f"steps/{name}", moves, batch)


def drop_run(run_no: int) -> None:
    """Drop a run's working tables."""
    with transaction() as connection:
        connection.execute(text("select loyalty.drop_run(:run_no)"), {"run_no": run_no})


def drop_dead_runs(connection: Connection, *, closing: bool) -> None:
    """Drop what runs left behind whose process died; `closing`: the caller holds the lock of closing, so none closes.

    Waits for a simulation that is just beginning, and so has no lock of its own yet.
    """
    connection.execute(text("select pg_advisory_xact_lock(:beginning)"), {"beginning": SIMULATION_BEGINS})
    for dead in run(connection, "closing/find_dead_runs", simulation_lock=SIMULATION_LOCK, closing=closing).all():
        connection.execute(text("select loyalty.drop_run(:run_no)"), {"run_no": dead.run_no})
        if dead.candidate is not None:
            discard(connection, dead.candidate)


@contextmanager
def _unhurried(connection: Connection) -> Iterator[None]:
    """A transaction whose commit does not wait for the disc.

    What a crash of the server then takes is the newest end of the work, whole transactions in order, and a restart does
    it again. The close itself ends in an ordinary commit, before which all of them are on the disc.
    """
    with connection.begin():
        connection.execute(text("set local synchronous_commit = off"))
        yield


@contextmanager
def _without(connection: Connection, *ways: str) -> Iterator[None]:
    """Keep the planner from these ways of joining and grouping."""
    for way in ways:
        connection.execute(text(f"set local enable_{way} = off"))
    yield
    for way in ways:
        connection.execute(text(f"set local enable_{way} = on"))


def _hashing(connection: Connection) -> AbstractContextManager[None]:
    """Keep the planner from looping, for statements whose tables are all cut to the same members.

    What was just written is in no statistics yet, so the planner may take it for a row or none, and loop over what are
    hundreds of thousands; a hash is right for any number.
    """
    return _without(connection, "nestloop")


def _merging(connection: Connection) -> AbstractContextManager[None]:
    """Let the planner sort and merge: working rows lie in the order of members, so that there is little to sort."""
    return _without(connection, "nestloop", "hashjoin", "hashagg")


def _freely(_connection: Connection) -> AbstractContextManager[None]:
    """Leave it to the planner: step 2 looks sales up by their keys."""
    return nullcontext()


_PLANNED = dict(zip(COMPUTED, (_hashing, _freely, _merging, _merging, _hashing), strict=True))


def _chosen(name: str, moves: Moves, batch: Batch, **more: Any) -> dict[str, Any]:
    """What a statement's header asks for, of all that the moves and the batch can give."""
    month = display_period(moves.period) if moves.period else None
    known = asdict(moves) | {"month": month, "first_member": batch.first, "stop_member": batch.stop} | more
    return {wanted: known[wanted] for wanted in parameters(name)}


def _run(connection: Connection, name: str, moves: Moves, batch: Batch, **more: Any) -> int:
    return run(connection, name, **_chosen(name, moves, batch, **more)).rowcount


def _source(name: str, close: Close) -> str:
    """The step's statement; a simulation of a closed period opens it as it was, a recompute as it would have been."""
    if close.recompute_no is not None and name in COMPUTED[:2]:
        return f"recompute/{name}"
    if name == COMPUTED[0] and close.closed:
        return "simulation/retrieve_customer_profile_as_it_was"
    return f"steps/{name}"


def _mark(connection: Connection, step: str, close: Close, batch: Batch) -> int | None:
    found = run(
        connection,
        "closing/find_mark",
        run_no=close.run_no,
        step=step,
        first_member=batch.first,
        stop_member=batch.stop,
    )
    rows: int | None = found.scalar_one_or_none()
    return rows


def _set_mark(connection: Connection, step: str, close: Close, batch: Batch, rows: int) -> None:
    run(
        connection,
        "closing/mark_step",
        run_no=close.run_no,
        step=step,
        first_member=batch.first,
        stop_member=batch.stop,
        rows=rows,
    )


def _require_mark(connection: Connection, step: str, close: Close, batch: Batch) -> None:
    if _mark(connection, step, close, batch) is None:
        raise _lost(step, close)


def _lost(step: str, close: Close) -> WorkLost:
    return WorkLost(
        f"the working rows of {step} are gone (did the database crash?): start {display_period(close.period)} again"
    )

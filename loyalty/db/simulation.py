"""A month as it would be: steps 1 to 5 into the working tables of a run of its own, read, and dropped.

Two such runs under different rules can be compared, member by member. Works for open, running and closed months alike,
under the rules in force or candidate ones, and leaves nothing behind: no account or lot is locked or changed, and a
simulation that dies is cleared away by the next run.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from loyalty import clock
from loyalty.db import rules_versions
from loyalty.db.closing import (
    COMPUTED,
    SIMULATION_BEGINS,
    SIMULATION_LOCK,
    Batch,
    Close,
    drop_dead_runs,
    drop_run,
    open_run,
    run_step,
)
from loyalty.db.engine import connect, transaction
from loyalty.db.locks import advisory_lock
from loyalty.db.statements import run
from loyalty.rules.periods import display_period, following
from loyalty.rules.programme import Programme

Do = Callable[[str, Close, Sequence[Batch]], None]
MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Effects:
    """What the month would bring. Money in minor units of `currency`; `stated_`: as a closed month has it, else None.

    `asked_voucher_amount` is what the upgrades held for a manager would bring, were all approved. `note` says on what
    state the month was opened, if months before it are still open.
    """

    period: date
    version: int
    candidate: bool
    programme: str
    currency: str
    note: str | None
    active_members: int
    spend: int
    points: int
    moves_up: int
    moves_down: int
    reviews: int
    at_risk: int
    vouchers: int
    voucher_amount: int
    asked_voucher_amount: int
    gifts: int
    expired: int
    stated_spend: int | None
    stated_points: int | None
    stated_moves: int | None
    stated_reviews: int | None

    def shown(self) -> dict[str, Any]:
        """The effects as plain JSON-able values."""
        return asdict(self) | {"period": display_period(self.period)}


@dataclass(frozen=True, slots=True)
class TierOutcome:
    """Members by the tier they opened the month in; the rest are as well off either way. Money in minor units.

    `better`, `worse`: in points, tier, voucher or gift, and in none of these the other way; `both_ways`: some of each.
    """

    tier: str
    members: int
    better: int
    worse: int
    both_ways: int
    points_before: int
    points_after: int
    vouchers_before: int
    vouchers_after: int


@dataclass(frozen=True, slots=True)
class MemberOutcome:
    """A member who gains or loses most. The tiers are those reached, or asked for where a manager decides."""

    member_no: int
    worse: bool
    tier_held: str
    points_before: int
    points_after: int
    tier_before: str
    tier_after: str
    vouchers_before: int
    vouchers_after: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A month under two sets of rules; at most `MOST_SHOWN` members who gain most, then as many who lose most."""

    before: Effects
    after: Effects
    tiers: tuple[TierOutcome, ...]
    members: tuple[MemberOutcome, ...]


def simulate(period: date, programme: Programme | None = None, *, batches: int = 2, do: Do | None = None) -> Effects:
    """Compute a month's effects under the rules in force, or under `programme` as if it ruled from that month.

    `do` runs one of the steps for its batches (by default here, one after the other). Raises as the steps do.
    """
    with _computed(period, programme, batches, do or _here) as close, transaction() as connection:
        return _effects(connection, close)


def compare(
    period: date, before: Programme | None, after: Programme, *, batches: int = 2, do: tuple[Do, Do] | None = None
) -> Comparison:
    """Compute a month's effects under two sets of rules, `before` None being those in force, and compare them.

    `do` runs the steps of the one and of the other. Raises as the steps do.
    """
    do_before, do_after = do or (_here, _here)
    with (
        _computed(period, before, batches, do_before) as one,
        _computed(period, after, batches, do_after) as other,
        transaction() as connection,
    ):
        runs = {
            "run_before": one.run_no,
            "rules_before": one.version,
            "run_after": other.run_no,
            "rules_after": other.version,
            "period": period,
            "as_of": one.as_of,
        }
        tiers = run(connection, "simulation/compare_outcomes", **runs).mappings()
        members = run(connection, "simulation/find_extremes", **runs, most=MOST_SHOWN).mappings()
        return Comparison(
            before=_effects(connection, one),
            after=_effects(connection, other),
            tiers=tuple(TierOutcome(**row) for row in tiers),
            members=tuple(MemberOutcome(**row) for row in members),
        )


def _effects(connection: Connection, close: Close) -> Effects:
    effects = run(
        connection,
        "simulation/simulate_effects",
        run_no=close.run_no,
        period=close.period,
        version=close.version,
        as_of=close.as_of,
    ).one()
    rules = rules_versions.read_version(connection, close.version)
    opened_on = run(connection, "closing/find_period", period=close.period).one().newest_closed
    gap = not close.closed and opened_on is not None and following(opened_on) < close.period
    return Effects(
        period=close.period,
        version=close.version,
        candidate=close.candidate is not None,
        programme=rules.name,
        currency=rules.currency,
        note=f"months after {display_period(opened_on)} are still open and left out" if gap else None,
        **effects._asdict(),
    )


@contextmanager
def _computed(period: date, programme: Programme | None, batches: int, do: Do) -> Iterator[Close]:
    """A simulated run whose working rows are there, until the end."""
    with simulated_run(period, programme, batches) as close:
        for name in COMPUTED:
            do(name, close, close.batches)
        yield close


def _here(name: str, close: Close, batches: Sequence[Batch]) -> None:
    for batch in batches:
        run_step(name, close, batch)


@contextmanager
def _candidate(period: date, programme: Programme | None) -> Iterator[int | None]:
    """A version of the rules that only this simulation sees, for as long as it runs."""
    if programme is None:
        yield None
        return
    with transaction() as connection:
        version = rules_versions.install(
            connection, programme, from_period=period, by="simulation", at=clock.now(), candidate=True
        )
    try:
        yield version
    finally:
        with transaction() as connection:
            rules_versions.discard(connection, version)


@contextmanager
def simulated_run(period: date, programme: Programme | None = None, batches: int = 1) -> Iterator[Close]:
    """A run of its own, held alive by a lock that dies with this process, and its candidate version, if it has one."""
    with transaction() as connection:
        drop_dead_runs(connection, closing=False)
    with connect() as alive, ExitStack() as kept:
        with advisory_lock(alive, SIMULATION_BEGINS):
            with transaction() as connection:
                rules_versions.discard_orphans(connection)
            version = kept.enter_context(_candidate(period, programme))
            close = open_run(period, recorded_at=clock.now(), simulated=True, candidate=version, batches=batches)
            alive.execute(
                text("select pg_advisory_lock(:simulation, cast(:run as integer))"),
                {"simulation": SIMULATION_LOCK, "run": close.run_no},
            )
            alive.commit()
        try:
            yield close
        finally:
            drop_run(close.run_no)
            alive.execute(text("select pg_advisory_unlock_all()"))
            alive.commit()

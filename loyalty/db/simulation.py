"""A month as it would be: steps 1 to 5 into the working tables of a run of its own, read, and dropped.

Works for open, running and closed months alike, under the rules in force or candidate ones, and leaves nothing behind:
no account or lot is locked or changed, and a simulation that dies is cleared away by the next run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import text

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
    see_candidate,
)
from loyalty.db.engine import connect, transaction
from loyalty.db.locks import advisory_lock
from loyalty.db.statements import run
from loyalty.rules.periods import display_period, following
from loyalty.rules.programme import Programme

Do = Callable[[str, Close, list[Batch]], None]


@dataclass(frozen=True, slots=True)
class Effects:
    """What the month would bring. Money in minor units of `currency`; `stated_`: as a closed month has it, else None.

    `note` says on what state the month was opened, if months before it are still open.
    """

    period: date
    version: int
    candidate: bool
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
    gifts: int
    expired: int
    stated_spend: int | None
    stated_points: int | None
    stated_moves: int | None
    stated_reviews: int | None

    def shown(self) -> dict[str, Any]:
        """The effects as plain JSON-able values."""
        return asdict(self) | {"period": display_period(self.period)}


def simulate(period: date, programme: Programme | None = None, *, batches: int = 2, do: Do | None = None) -> Effects:
    """Compute a month's effects under the rules in force, or under `programme` as if it ruled from that month.

    `do` runs one of the steps for its batches (by default here, one after the other). Raises as the steps do.
    """
    with _candidate(period, programme) as version, _run(period, version) as close:
        for name in COMPUTED:
            (do or _here)(name, close, close.batches(batches))
        with transaction() as connection:
            see_candidate(connection, version)
            effects = run(
                connection,
                "simulation/simulate_effects",
                run_no=close.run_no,
                period=period,
                version=close.version,
                as_of=close.as_of,
            ).one()
            rules = rules_versions.read_version(connection, close.version)
            place = run(connection, "closing/find_period", period=period).one()
    opened_on = place.newest_closed
    gap = not close.closed and opened_on is not None and following(opened_on) < period
    return Effects(
        period=period,
        version=close.version,
        candidate=version is not None,
        currency=rules.currency,
        note=f"months after {display_period(opened_on)} are still open and left out" if gap else None,
        **effects._asdict(),
    )


def _here(name: str, close: Close, batches: list[Batch]) -> None:
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
def _run(period: date, candidate: int | None) -> Iterator[Close]:
    """A run of its own, held alive by a lock that dies with this process."""
    with transaction() as connection:
        drop_dead_runs(connection, closing=False)
    with connect() as alive:
        with advisory_lock(alive, SIMULATION_BEGINS):
            close = open_run(period, recorded_at=clock.now(), simulated=True, candidate=candidate)
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

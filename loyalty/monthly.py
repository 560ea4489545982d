"""The month in order: its fifteen steps, and how they are run, whoever runs them.

`run_month` is the one place that knows the order. The Prefect flow gives it tasks to start; `close_month` gives it
threads and does without Prefect. What a step means is in its SQL, and what the steps share is in loyalty/db/closing.py.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Protocol

from loyalty import clock
from loyalty.db import campaign_awards
from loyalty.db.closing import Batch, Close, Digests, Moves, Reviews, begin, closing_lock, digest, finish, run_step
from loyalty.db.engine import transaction
from loyalty.db.programme import check_ready
from loyalty.db.reviews import gather
from loyalty.db.statements import run
from loyalty.errors import Unavailable, WorkLost, WrongUse
from loyalty.reports.stored import Kind
from loyalty.rules.periods import display_period, last_whole_month, months_between, parse_period

MOST_BATCHES = 6  # more are no faster, and each is another fifteen rows in Prefect's records
BEGINNINGS = 4  # of a close whose database goes away under it: 2, 4 and 8 seconds apart
MESSAGES = ("send_tier_upgrade_notification", "send_instant_points_alert")
REPORTS: dict[str, Kind] = {"generate_monthly_loyalty_health_report": "health", "aggregate_program_roi": "roi"}
STATING = "update_customer_points_balance"  # the step that writes the statements


@dataclass(frozen=True, slots=True)
class Step:
    """One of the fifteen; `whole`: once for the period, not batch by batch."""

    number: int
    name: str
    whole: bool = False


STEPS = tuple(
    Step(number, name, whole=name in REPORTS)
    for number, name in enumerate(
        (
            "retrieve_customer_profile",
            "get_recent_transactions",
            "calculate_total_monthly_spend",
            "calculate_loyalty_points_earned",
            "determine_tier_eligibility",
            "update_customer_points_balance",
            "update_loyalty_tier",
            "create_reward_voucher",
            "assign_loyalty_manager_review",
            "verify_physical_gift_dispatch",
            "send_tier_upgrade_notification",
            "send_instant_points_alert",
            "generate_monthly_loyalty_health_report",
            "remove_expired_vouchers",
            "aggregate_program_roi",
        ),
        start=1,
    )
)
LAST_OF_A_BATCH = [step.name for step in STEPS if not step.whole][-1]


@dataclass(frozen=True, slots=True)
class Terms:
    """How a month is to be closed. `decided_by` is the handle in whose name reviews are approved."""

    batches: int = 2
    notify: bool = True
    reviews: Reviews = "hold"
    decided_by: str | None = None

    def __post_init__(self) -> None:
        """Raise WrongUse for terms that make no sense."""
        if not 1 <= self.batches <= MOST_BATCHES:
            raise WrongUse(f"a month is closed in 1 to {MOST_BATCHES} batches, not {self.batches}")
        if self.reviews == "approve" and not (self.decided_by or "").strip():
            raise WrongUse("reviews are approved in somebody's name: say whose")


class Running(Protocol):
    """A step at work on a batch: a future of threads, or of Prefect."""

    def result(self) -> Any:
        """The rows written, once the step has ended; raises what it raised."""


Start = Callable[[Step, Close, Batch, Sequence[Running]], Running]
Told = Callable[[Step, int], None]
Outcome = Literal["closed", "unchanged"]


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it was just stored."""

    kind: Kind
    revision: int
    markdown: str


def run_month(period: date, terms: Terms, *, start: Start, told: Told) -> dict[str, int] | None:
    """Close a period: the steps in order, batch by batch. The rows of each step, or None if it is closed already.

    `start` begins a step for a batch once others have ended, and returns at once; `told` hears of each finished step.
    Where the database goes away in the middle, or comes back without the working rows, the close begins again,
    BEGINNINGS times in all. Raises Refused out of order, and what the steps raise; then the same again goes on where
    this ended.
    """
    begun: list[Close] = []
    for beginning in range(1, BEGINNINGS):
        try:
            return _run_once(period, terms, start=start, told=told, begun=begun)
        except (Unavailable, WorkLost):
            if not begun:
                raise  # it was away before: whoever asks decides how long to wait
            time.sleep(2**beginning)
    return _run_once(period, terms, start=start, told=told, begun=begun)


def _run_once(period: date, terms: Terms, *, start: Start, told: Told, begun: list[Close]) -> dict[str, int] | None:
    """Close a period from the beginning, under the lock; the close that began is added to `begun`."""
    with closing_lock() as check_held:
        campaign_awards.run(clock.now())  # so that its points land in the month
        close = begin(
            period,
            reviews=terms.reviews,
            decided_by=terms.decided_by,
            notify=terms.notify,
            recorded_at=clock.now(),
            batches=terms.batches,
        )
        if close is None:
            return None
        begun.append(close)
        started = _started(close, start)
        rows = {}
        beside = ThreadPoolExecutor(1, thread_name_prefix="digest")
        digests = beside.submit(_digest_after, close, started)
        beside.shutdown(wait=False)  # a run that is cancelled does not wait for it
        try:
            for step, running in started.items():
                rows[step.name] = all_ended(running)
                check_held()
                if step.name == "assign_loyalty_manager_review":
                    gather(period)
                told(step, rows[step.name])
        except Exception:
            all_ended([each for running in started.values() for each in running])
            raise
        finish(close, digests.result(), finished_at=clock.now())
        return rows


def _started(close: Close, start: Start) -> dict[Step, list[Running]]:
    """All steps, asked for in order: each batch goes from step to step, whether others have come as far or not.

    What is done once for the period waits for all batches. Step 14 does not wait for step 13: the report reads vouchers
    and their archive in one statement, so it is the same to it what has been moved.
    """
    latest: dict[Batch, list[Running]] = {part: [] for part in close.batches}
    started: dict[Step, list[Running]] = {}
    for step in STEPS:
        if step.whole:
            before = [running for ended in latest.values() for running in ended]
            started[step] = [start(step, close, close.members, before)]
        else:
            latest = {part: [start(step, close, part, before)] for part, before in latest.items()}
            started[step] = [running for (running,) in latest.values()]
    return started


def _digest_after(close: Close, started: dict[Step, list[Running]]) -> Digests:
    """The digests, once all statements stand and a batch has come to its end, which leaves a core idle."""
    by_name = {step.name: running for step, running in started.items()}
    all_ended(by_name[STATING])
    all_ended(by_name[LAST_OF_A_BATCH][-1:])
    return digest(close)


def all_ended(started: Sequence[Running]) -> int:
    """The rows of all of them. Every one has ended before a failure is raised: the lock must outlast the work."""
    rows, failures = 0, []
    for running in started:
        try:
            rows += running.result()
        except Exception as failure:  # noqa: BLE001 - raised below, when nothing runs any more
            failures.append(failure)
    if failures:
        raise failures[0]
    return rows


def close_month(period: date, terms: Terms, *, told: Told = lambda _step, _rows: None) -> Outcome:
    """Close a period here and now, in threads and without Prefect. Raises as `run_month` does."""
    with ThreadPoolExecutor(terms.batches, thread_name_prefix="close") as threads:
        done = run_month(
            period,
            terms,
            start=lambda step, close, part, before: threads.submit(_perform_after, before, step.name, close, part),
            told=told,
        )
    return "unchanged" if done is None else "closed"


def _perform_after(before: Sequence[Running], name: str, close: Close, part: Batch) -> int:
    all_ended(before)
    return perform(name, close, part)


def perform(name: str, moves: Moves, part: Batch) -> int:
    """Do a step for a batch; the rows it wrote, of a report its revision. Without `notify` no message is queued."""
    if name in MESSAGES and isinstance(moves, Close) and not moves.notify:
        return 0
    if name in REPORTS and moves.period is not None:
        return make_report(REPORTS[name], moves.period).revision
    return run_step(name, moves, part)


def make_report(kind: Kind, period: date) -> Report:
    """Make a period's report from what the database says now, and store it if anything has changed."""
    # pandas and the charts take half a second to load: only who makes a report waits for them
    from loyalty.reports import health, health_numbers, roi, roi_numbers, stored  # noqa: PLC0415

    with transaction() as connection:
        if kind == "health":
            numbers = health_numbers.numbers(connection, period)
            revision, text = stored.store(connection, period, kind, numbers, clock.now()), health.markdown(numbers)
        else:
            figures = roi_numbers.numbers(connection, period)
            revision, text = stored.store(connection, period, kind, figures, clock.now()), roi.markdown(figures)
    return Report(kind, revision, text)


def make_reports(period: date) -> None:
    """Make both reports of a period again, from what is true now."""
    for kind in REPORTS.values():
        make_report(kind, period)


def chosen_period(period: str | None) -> date:
    """The period of that name ("2017-12"), or the last whole month by the programme clock.

    Raises WrongUse for what is no period, Refused for a database that needs a migrate.
    """
    zone = check_ready()
    return parse_period(period) if period else last_whole_month(clock.now(), zone)


def chosen_periods(first: str, last: str) -> list[date]:
    """The periods from first to last, in order. Raises WrongUse if there is none."""
    periods = months_between(parse_period(first), parse_period(last))
    if not periods:
        raise WrongUse(f"{last} is before {first}: give the first month first")
    return periods


def unchanged(period: date) -> str:
    """What is said of a period that needs nothing."""
    return f"{display_period(period)} is closed already: unchanged"


def closed(period: date) -> str:
    """What is said of a period that was just closed, in however many goes."""
    with transaction() as connection:
        found = run(connection, "reads/closed_month", period=period).one()
    return f"{display_period(period)} closed: {found.statements:,} statements, {found.moves:,} moves"

"""Two at once: whoever else is at work, a month is closed once, a row is booked once, a review is decided once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from sqlalchemy import text

from loyalty import monthly
from loyalty.db import closing, simulation
from loyalty.db.engine import connect, dispose, transaction
from loyalty.errors import WorkLost
from loyalty.rules.periods import parse_period
from tests.laws import gate, processes, shop
from tests.laws.product import Product, rules_of, written
from tests.model import Transaction

RANGE = 3
NOW = shop.FEBRUARY_CLOSED_AT


def close_in_a_process() -> ForkServerProcess:
    return processes.start(processes.close_month, NOW, "2026-02", RANGE)


def ended(*started: ForkServerProcess) -> list[int]:
    """The exit codes, smallest first, once all have ended."""
    for process in started:
        process.join(gate.PATIENCE_S)
    return sorted(int(process.exitcode) for process in started if process.exitcode is not None)


def test_two_closes_of_one_month_close_it_once(small_shop: Product, undisturbed: dict[str, Any]) -> None:
    """Of two processes that close one month at once, one closes it and the other finds it closed."""
    codes = ended(close_in_a_process(), close_in_a_process())

    assert codes == [0, processes.UNCHANGED]
    assert shop.books(small_shop) == undisturbed


@pytest.mark.parametrize("step", [step.name for step in monthly.STEPS if step.number > 6 and not step.whole])
def test_no_step_goes_on_upon_what_a_crash_may_have_taken(small_shop: Product, step: str) -> None:
    """A crash of the server takes the marks and maybe the steps before: no step goes on from there."""
    with closing.closing_lock():
        close = closing.begin(parse_period("2026-02"), reviews="hold", decided_by=None, notify=True, recorded_at=NOW)
        assert close is not None
        for before in monthly.STEPS[:6]:
            monthly.perform(before.name, close, close.members)
        with transaction() as connection:
            connection.execute(text(f"truncate loyalty.work_marks_{close.run_no}"))
        with pytest.raises(WorkLost):
            monthly.perform(step, close, close.members)


def test_a_close_waits_for_an_import_that_books_to_its_month(small_shop: Product) -> None:
    """An import that has begun to book to February is waited for, and all its rows are February's."""
    file = late_rows(small_shop.folder, 10)
    with gate.shut("transactions", "new.transaction_id = 'late-5'") as keeper:
        importing = processes.start(processes.import_file, NOW, str(file))
        gate.await_arrival(keeper, importing)
        closing_it = close_in_a_process()
        gate.await_waiting(keeper, closing_it, "closing/begin_closing")
    codes = ended(importing, closing_it)

    assert codes == [0, 0]
    assert booked("late-%") == [("2026-02", 10)]
    assert small_shop.wrong() == {}


def test_an_import_during_a_close_is_booked_to_the_next_month(small_shop: Product, undisturbed: dict[str, Any]) -> None:
    """A close at work holds no import up: its rows are March's, and the close is as if they weren't there."""
    file = late_rows(small_shop.folder, 10)
    with gate.shut("work_spend", "new.member_no = 6") as keeper:
        closing_it = close_in_a_process()
        gate.await_arrival(keeper, closing_it)
        importing = ended(processes.start(processes.import_file, NOW, str(file)))
    codes = ended(closing_it)
    gate.removed()

    assert (importing, codes) == ([0], [0])
    assert booked("late-%") == [("2026-03", 10)]
    assert shop.books(small_shop) == undisturbed


def test_imports_that_race_a_close_lose_nothing(small_shop: Product) -> None:
    """Whenever they meet, each row of two imports that share half their rows is booked to one month, and stated."""
    first, second = late_rows(small_shop.folder, 60), late_rows(small_shop.folder, 60, start=30)
    started = [
        processes.start(processes.import_file, NOW, str(first)),
        close_in_a_process(),
        processes.start(processes.import_file, NOW, str(second)),
    ]
    codes = ended(*started)
    small_shop.close("2026-03", now=NOW + timedelta(days=31))
    by_period = booked("late-%")

    assert codes == [0, 0, 0]
    assert sum(rows for _, rows in by_period) == 90
    assert {period for period, _ in by_period} <= {"2026-02", "2026-03"}
    assert small_shop.wrong() == {}


def test_of_two_approvals_one_wins(small_shop: Product) -> None:
    """Two managers approve one review at once: one decision, one move, one voucher, one message."""
    review = open_review(small_shop)
    at = NOW + timedelta(days=1)
    codes = ended(*(processes.start(processes.approve, at, review["review_no"], by) for by in ("ann", "bob")))

    assert codes == [0, 1]
    assert brought(small_shop, review["customer_id"]) == (1, 1, 1)
    assert small_shop.wrong() == {}


@pytest.mark.parametrize("turn", range(3))
def test_an_approval_that_races_the_next_close_counts_once(small_shop: Product, turn: int) -> None:
    """Approved while March closes, the move is made once, with one voucher and one message, and every check holds."""
    review = open_review(small_shop)
    at = NOW + timedelta(days=31)
    racing: list[Callable[[], ForkServerProcess]] = [
        lambda: processes.start(processes.approve, at, review["review_no"], "ann"),
        lambda: processes.start(processes.close_month, at, "2026-03", RANGE),
    ]
    codes = ended(*(start() for start in (reversed(racing) if turn % 2 else racing)))

    assert codes == [0, 0]
    assert brought(small_shop, review["customer_id"]) == (1, 1, 1)
    assert small_shop.wrong() == {}


@pytest.mark.parametrize("period", ["2026-01", "2026-02", "2026-03"])
@pytest.mark.parametrize("candidate", [False, True])
def test_a_simulation_leaves_nothing_behind(small_shop: Product, period: str, candidate: bool) -> None:
    """Of a closed month, the next or a later one, under these rules or others: no row, no table more than before."""
    small_shop.tell_time(NOW)
    before = rows_of_all_tables()
    rules = rules_of(shop.RULES).model_copy(update={"pending_days": 10}) if candidate else None
    simulation.simulate(parse_period(period), rules)

    assert rows_of_all_tables() == before


def test_a_simulation_holds_nobody_up_and_its_death_leaves_nothing(
    small_shop: Product, undisturbed: dict[str, Any]
) -> None:
    """While one is at work another, an import and a close get through; killed, it is cleared away by the next."""
    file = late_rows(small_shop.folder, 10)
    with connect() as connection:
        next_run = connection.scalar(text("select last_value + 1 from loyalty.runs_run_no_seq"))
    with gate.shut("work_points", f"new.run_no = {next_run}") as keeper:
        simulating = processes.start(processes.simulate, NOW, "2026-02")
        gate.await_arrival(keeper, simulating)
        others = [
            ended(processes.start(processes.simulate, NOW, "2026-02")),
            ended(close_in_a_process()),
            ended(processes.start(processes.import_file, NOW, str(file))),
        ]
        simulating.kill()
        simulating.join()
    dispose()
    gate.removed()

    assert others == [[0], [0], [0]]
    assert shop.books(small_shop) == undisturbed
    assert small_shop.close("2026-03", now=NOW + timedelta(days=31)) == "closed"
    assert not [table for table in rows_of_all_tables() if table.startswith("work_") and table[-1].isdigit()]


@pytest.mark.parametrize(("batches", "members", "backwards"), [(1, 100, False), (6, 1, True), (4, 2, True)])
def test_neither_batches_nor_their_order_show(
    small_shop: Product, undisturbed: dict[str, Any], *, batches: int, members: int, backwards: bool
) -> None:
    """Closed whole, or member by member, the last batch first with all its steps: the books are the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closing, "RANGE", members)
        small_shop.tell_time(NOW)
        terms = monthly.Terms(batches=batches)
        rows = monthly.run_month(
            parse_period("2026-02"), terms, start=Turned(backwards).start, told=lambda _step, _rows: None
        )

        assert rows is not None
        assert shop.books(small_shop) == undisturbed


@dataclass
class Turned:
    """Does one thing after the other, once the first of them is asked for; what was told last first if so told.

    A close asks from two threads: the first works, the other waits.
    """

    backwards: bool
    waiting: list["Part"] = field(default_factory=list)
    at_work: Lock = field(default_factory=Lock)

    def start(
        self, step: monthly.Step, close: closing.Close, part: closing.Batch, before: Sequence[monthly.Running]
    ) -> "Part":
        """Remember a batch."""
        self.waiting.append(Part(self, before, lambda: monthly.perform(step.name, close, part)))
        return self.waiting[-1]

    def next(self) -> "Part":
        """One whose turn it can be."""
        ready = [part for part in self.waiting if not any(part_before in self.waiting for part_before in part.before)]
        part = ready[-1 if self.backwards else 0]
        self.waiting.remove(part)
        return part


@dataclass(eq=False)
class Part:
    """A batch that waits for its turn."""

    of: Turned
    before: Sequence[monthly.Running]
    work: Callable[[], int]
    rows: int | None = None

    def result(self) -> int:
        """Do all that wait, this one too."""
        with self.of.at_work:
            while self.of.waiting:
                part = self.of.next()
                part.rows = part.work()
        assert self.rows is not None
        return self.rows


def late_rows(folder: Path, count: int, *, start: int = 0) -> Path:
    """A file of purchases of February by the shop's members."""
    rows = [
        Transaction(f"late-{n}", f"C{1 + n % shop.MEMBERS:02}", datetime(2026, 2, 1 + n % 28, tzinfo=UTC), 10_00 + n)
        for n in range(start, start + count)
    ]
    file = folder / f"late-{start}.csv"
    file.write_text(written(rows), encoding="utf-8")
    return file


def booked(like: str) -> list[tuple[str, int]]:
    """How many of the transactions of such ids are booked to which period."""
    with connect() as connection:
        found = connection.execute(
            text(
                "select to_char(booked_period, 'YYYY-MM'), count(*) from loyalty.transactions"
                " where transaction_id like :like group by booked_period order by booked_period"
            ),
            {"like": like},
        )
        return [(period, rows) for period, rows in found]


def open_review(small_shop: Product) -> dict[str, Any]:
    """February closed; the first review that it asked for."""
    small_shop.close("2026-02", now=NOW)
    return next(row for row in small_shop.read("reviews") if row["state"] == "open")


def brought(small_shop: Product, customer: str) -> tuple[int, int, int]:
    """How many moves, vouchers and messages Platinum has brought this member."""
    vouchers = [row for row in small_shop.vouchers() if (row["customer_id"], row["tier"]) == (customer, "Platinum")]
    moves = [tier for tier, _ in small_shop.tier_history(customer) if tier == "Platinum"]
    told = [
        row
        for row in small_shop.read("messages")
        if (row["customer_id"], row["kind"]) == (customer, "tier_upgrade") and '"Platinum"' in row["facts"]
    ]
    return len(moves), len(vouchers), len([row for row in told if '"tier": "Platinum"' in row["facts"]])


def rows_of_all_tables() -> dict[str, int]:
    """Every table of the schema with its number of rows."""
    with connect() as connection:
        names = connection.scalars(
            text("select relname from pg_class where relnamespace = 'loyalty'::regnamespace and relkind in ('r', 'p')")
        ).all()
        return {name: connection.scalar(text(f"select count(*) from loyalty.{name}")) or 0 for name in names}

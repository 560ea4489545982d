"""Corrections and recompute against the model: any history with rows that come late or wrong ends in the same books."""

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from loyalty.db import approvals, closing, recompute
from loyalty.db.engine import connect
from loyalty.db.locks import advisory_lock
from loyalty.errors import Refused
from tests import model
from tests.laws.conftest import Databases
from tests.laws.product import Product
from tests.laws.scenarios import CUSTOMERS, HISTORIES, Close, Import, Scenario, play, scenario
from tests.laws.test_against_model import books
from tests.model import Tier, Transaction

LIVELY_RATES = [Fraction(1, 10), Fraction(1), Fraction("0.3333")]


@dataclass(frozen=True)
class Correction:
    """A file of corrections comes in."""

    at: datetime
    rows: tuple[Transaction, ...]


@dataclass(frozen=True)
class Recompute:
    """Closed months are computed anew, and the difference is posted or not."""

    at: datetime
    first: str
    last: str
    post: bool


def corrected(seed: int, months: int, sales: int) -> Scenario:
    """A scenario in which files of corrections come in before and after closes."""
    chance = random.Random(seed)
    given = scenario(seed, months, sales)
    known: dict[tuple[str, str], Transaction] = {}
    events: list[Any] = []
    for event in given.events:
        events.append(event)
        if isinstance(event, Import):
            known = {(row.source, row.transaction_id): row for row in event.rows} | known
        if isinstance(event, Import | Close) and known and chance.random() < 0.7:
            wrong = chance.sample(list(known.values()), min(len(known), chance.choice([1, 1, 2, 4])))
            rows = tuple(_mended(chance, row, given, event.at) for row in wrong)
            events.append(Correction(event.at, rows))
            known |= {(row.source, row.transaction_id): row for row in rows}
    return replace(given, events=events)


def _mended(chance: random.Random, row: Transaction, given: Scenario, now: datetime) -> Transaction:
    """The row with something else in it, or as it is."""
    calendar = model.Programme(given.zone).calendar
    some_day = calendar.end(chance.choice(given.periods)) - (calendar.end("2001-01") - calendar.end("2000-12")) / 3
    amount = chance.choice([row.amount * 2, row.amount // 2, chance.randint(1, 100_000), row.amount + 1])
    changes: list[dict[str, Any]] = [
        {},
        {"amount": max(1, amount), "pieces": {}},
        {"amount": max(1, amount), "pieces": {}},
        {"pieces": {"tax": row.amount // 5}},
        {"occurred_at": min(some_day, now)},
        {"customer_id": chance.choice(CUSTOMERS)},
    ]
    if row.kind == "refund":
        changes.append({"original": None})
    return replace(row, **chance.choice(changes))


def recomputed(seed: int, months: int, sales: int) -> Scenario:
    """Such a scenario in which closed months are computed anew, some of them more than once.

    Its tiers multiply and mostly go without managers, so that a row in another month often means other points.
    """
    chance = random.Random(seed + 1)
    given = corrected(seed, months, sales)
    rules = [
        (start, replace(version, rate=chance.choice(LIVELY_RATES), ladder=_lively(chance, version.ladder)))
        for start, version in given.rules
    ]
    closed: list[str] = []
    events: list[Any] = []
    for event in given.events:
        events.append(event)
        if isinstance(event, Close):
            closed = sorted({*closed, event.period})
        if closed and isinstance(event, Correction) and chance.random() < 0.6:
            first, last = sorted([chance.choice(closed), closed[-1]])
            events.append(Recompute(event.at, first, last, post=chance.random() < 0.7))
    if closed:
        events += [Recompute(events[-1].at, closed[0], closed[-1], post=post) for post in (True, False)]
    return replace(given, rules=rules, events=events)


def _lively(chance: random.Random, ladder: tuple[Tier, ...]) -> tuple[Tier, ...]:
    return tuple(
        replace(tier, multiplier=Fraction(chance.randint(1, 4)), review=chance.random() < 0.2) for tier in ladder
    )


def played(programme: Any, events: list[Any]) -> Iterator[Any]:
    """Let everything happen; what each of the events answered."""
    for event in events:
        if isinstance(event, Correction):
            yield sorted(set(programme.record(event.rows, event.at, correct=True)))
        elif isinstance(event, Recompute):
            yield programme.recompute(event.first, event.last, now=event.at, post=event.post)
        else:
            yield from play(programme, [event])


CORRECTED = st.builds(corrected, st.integers(0, 2**48), st.integers(1, 3), st.integers(1, 8))
RECOMPUTED = st.builds(recomputed, st.integers(0, 2**48), st.integers(2, 4), st.integers(3, 10))


@settings(suppress_health_check=list(HealthCheck), max_examples=HISTORIES)
@given(given=CORRECTED)
def test_corrections_end_in_the_models_books(databases: Databases, given: Scenario) -> None:
    """Law: reversals and replacements, and refunds taken along, are rated, posted and stated as the model does it."""
    _compare(databases, given)


@settings(suppress_health_check=list(HealthCheck), max_examples=HISTORIES)
@given(given=RECOMPUTED)
@example(given=recomputed(4_478_048_577, 4, 5))  # a refund booked to a month before its sale's, and a move between them
@example(given=recomputed(1_783_231, 2, 3))  # thirty days that begin with a midnight that clocks show twice
@example(given=recomputed(692_202_636, 4, 3))  # two refunds of one sale corrected at once: which row has the odd cent
@example(given=recomputed(8_589_934_593, 3, 7))  # asked for again when the time to decide on it was over
@example(given=recomputed(15, 4, 10))  # an upgrade that managers were asked about in an earlier month
def test_recomputes_end_in_the_models_books(databases: Databases, given: Scenario) -> None:
    """Law: a recompute shows, and posts, what the model finds by playing every month again from the first on."""
    _compare(databases, given)


def _compare(databases: Databases, given: Scenario) -> None:
    expected = model.Programme(given.zone, given.rules)
    answers = list(played(expected, given.events))
    with databases(astride=True) as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(closing, "RANGE", given.range_members)
        actual = Product(patch, Path(folder), given.zone, given.rules, batches=given.batches)

        assert list(played(actual, given.events)) == answers
        assert books(actual, given.periods) == books(expected, given.periods)
        assert actual.wrong() == {}


SILVER_DOUBLES = replace(
    model.DEFAULT,
    ladder=tuple(replace(tier, multiplier=Fraction(2)) if tier.name == "Silver" else tier for tier in model.LADDER),
)
ASKED_AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def late(databases: Databases, tmp_path: Path) -> Iterator[Product]:
    """January and February closed; then a late sale would have made C1 Silver a month earlier, a wrong one C2 none."""

    def sale(number: str, customer: str, month: int, amount: int) -> Transaction:
        return Transaction(number, customer, datetime(2026, month, 10, tzinfo=UTC), amount)

    with databases() as patch:
        shop = Product(patch, tmp_path, rules=SILVER_DOUBLES)
        bought = [sale("A1", "C1", 1, 110_000), sale("A2", "C1", 2, 50_000)]
        bought += [sale("B1", "C2", 1, 130_000), sale("B2", "C2", 2, 30_000)]
        shop.record(bought, datetime(2026, 3, 2, tzinfo=UTC))
        for month in ("2026-01", "2026-02"):
            shop.close(month, now=datetime(2026, 3, 2, 1, tzinfo=UTC))
        assert shop.record([sale("A0", "C1", 1, 20_000), sale("B1", "C2", 1, 10_000)], ASKED_AT, correct=True) == []
        yield shop


def test_a_difference_is_shown_then_posted_by_a_second_person(late: Product) -> None:
    """Law: what tiers would have multiplied is posted in the open month, adjusted; nothing closed or held changes."""
    closed = [late.exported(month) for month in ("2026-01", "2026-02")]
    shown = late.recompute("2026-02", "2026-02", now=ASKED_AT)
    with pytest.raises(Refused, match="who asked may not decide"):
        approvals.decide(1, approve=True, by="Ann")
    told = approvals.decide(1, approve=True, by="bob").told
    again = late.recompute("2026-01", "2026-02", now=ASKED_AT, post=True)
    late.close("2026-03", now=datetime(2026, 4, 2, tzinfo=UTC))

    assert [(row["customer_id"], row["points_due"], row["points_had"], row["points"]) for row in shown] == [
        ("C1", 100, 50, 50),
        ("C2", 30, 60, -30),
    ]
    assert [(row["tier_had"], row["tier_due"]) for row in shown] == [("Silver", "Silver"), ("Silver", "Bronze")]
    assert told == "+50 and -30 points posted to 2 members in 2026-03"
    assert [row["points"] for row in again] == [0, 0, 0]
    assert [
        (row["points_earned"], row["points_adjusted"], row["tier_after"]) for row in late.statements("2026-03")
    ] == [
        ("20", "50", "Silver"),
        ("-120", "-30", "Silver"),
    ]
    assert [
        (row["customer_id"], row["points"], row["period"], row["source"], row["reference"])
        for row in late.entries()
        if row["kind"] == "correction"
    ] == [("C1", 50, "2026-03", "recompute", "2026-02"), ("C2", -30, "2026-03", "recompute", "2026-02")]
    assert [late.exported(month) for month in ("2026-01", "2026-02")] == closed
    assert late.wrong() == {}


def test_a_refund_of_a_month_before_its_sales_is_rated_once(databases: Databases, tmp_path: Path) -> None:
    """Law (2, 4): what January's close took for a sale of February is no other once January has made C1 Silver."""
    with databases() as patch:
        shop = Product(patch, tmp_path, rules=SILVER_DOUBLES)
        bought = [
            Transaction(n, "C1", datetime(2026, m, 10, tzinfo=UTC), a)
            for n, m, a in [("A", 1, 150_000), ("B", 2, 20_000)]
        ]
        early = Transaction("R", "C1", datetime(2026, 1, 31, tzinfo=UTC), 10_000, kind="refund", original="B")
        shop.record([*bought, early], datetime(2026, 3, 2, tzinfo=UTC))
        for month in ("2026-01", "2026-02"):
            shop.close(month, now=datetime(2026, 3, 2, 1, tzinfo=UTC))

        assert [(row["points_earned"], row["tier_after"]) for row in shop.statements("2026-01")] == [("140", "Silver")]
        assert [row["points_earned"] for row in shop.statements("2026-02")] == ["40"]
        assert shop.recompute("2026-01", "2026-02", now=ASKED_AT) == []
        assert shop.wrong() == {}


def test_what_waits_is_asked_once_and_overtaken_by_other_figures(late: Product) -> None:
    """Law: the same difference is one approval; another one, of any of its months, takes its place."""

    def asked() -> list[tuple[int, str]]:
        with connect() as connection:
            return [(each.approval_no, each.state) for each in approvals.listed(connection, None)]

    late.recompute("2026-01", "2026-02", now=ASKED_AT)
    late.recompute("2026-01", "2026-02", now=ASKED_AT)
    once = asked()
    late.record([Transaction("B3", "C2", datetime(2026, 1, 11, tzinfo=UTC), 120_000)], ASKED_AT)
    late.recompute("2026-02", "2026-02", now=ASKED_AT)

    assert once == [(1, "open")]
    assert asked() == [(1, "lapsed"), (2, "open")]
    with pytest.raises(Refused, match="approval 1 is lapsed already, by system"):
        approvals.decide(1, approve=True, by="bob")
    assert approvals.decide(2, approve=True, by="bob").told == "+50 and -0 points posted to 1 members in 2026-03"
    assert late.wrong() == {}


def test_a_recompute_that_dies_is_started_again(late: Product) -> None:
    """Law: whatever was computed when it ended is cleared away; nothing of it is ever posted."""

    def die(month: date, _number: int, _of: int) -> None:
        if month == date(2026, 2, 1):
            raise KeyboardInterrupt

    months = date(2026, 1, 1), date(2026, 2, 1)
    with pytest.raises(KeyboardInterrupt):
        recompute.recompute(*months, by="ann", now=ASKED_AT, told=die)
    found = recompute.recompute(*months, by="ann", now=ASKED_AT)

    assert [(month.credited, month.debited, month.tiers) for month in found.months] == [(0, 0, 2), (50, 30, 1)]
    with connect() as connection:
        left = "select (select count(*) from recomputes), (select count(*) from recompute_rows), count(*) from runs"
        assert connection.execute(text(left)).one() == (1, 0, 0)
    assert late.wrong() == {}


def test_nothing_is_posted_while_months_are_computed(late: Product) -> None:
    """Law: who decides while closed months are computed anew is told to wait; nothing is decided by that."""
    found = recompute.recompute(date(2026, 2, 1), date(2026, 2, 1), by="ann", now=ASKED_AT)
    assert found.approval_no is not None
    with connect() as other, advisory_lock(other, recompute._LOCK), pytest.raises(Refused, match="decide when that"):
        approvals.decide(found.approval_no, approve=True, by="bob")

    assert approvals.decide(found.approval_no, approve=True, by="bob").state == "approved"
    assert late.wrong() == {}


def test_a_recompute_is_of_closed_months(late: Product) -> None:
    """Law: an open month is refused by name, and nothing is left of it."""
    with pytest.raises(Refused, match="2026-03 is not closed: a recompute is of closed months"):
        late.recompute("2026-02", "2026-03", now=ASKED_AT)

"""Scenarios at random: what happened in a programme, in order, with the instants at which each thing was done.

A scenario is plain data, drawn by Hypothesis and played by `play` on whatever has the model's methods.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Literal, Protocol

from hypothesis import strategies as st

from tests import model
from tests.model import Calendar, Rules, Tier, Transaction, shift

ZONES = (
    ["UTC", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo"]
    + ["Australia/Lord_Howe", "Pacific/Auckland", "Europe/Lisbon", "Pacific/Apia"]
)
STARTS = ["2017-01", "2017-09", "2018-01", "2024-02", "2026-10"]
CUSTOMERS = ["C1", "C2", "c1", "Ü-3"]
SOURCES = ["default", "default", "till"]
NAMES = ["Bronze", "Silver", "Gold"]
DELAYS = [timedelta(microseconds=1), timedelta(hours=7), timedelta(days=3), timedelta(days=14), timedelta(days=25)]
MONTHS_MOST = 6


class Programme(Protocol):
    """What the model and the product have in common."""

    calendar: Calendar

    def record(self, transactions: Any, recorded_at: datetime) -> list[tuple[str, str]]: ...
    def close(self, period: str, reviews: Any = "hold", *, now: datetime, by: str = "backfill") -> str: ...
    def decide(self, customer_id: str, tier_name: str, approve: bool, *, by: str, note: str, now: datetime) -> str: ...
    def expire(self, as_of: datetime) -> None: ...
    def reviews(self) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Import:
    """A file comes in."""

    at: datetime
    rows: tuple[Transaction, ...]


@dataclass(frozen=True)
class Close:
    """A month is closed, or tried to be."""

    at: datetime
    period: str
    reviews: Literal["hold", "approve"]


@dataclass(frozen=True)
class Decision:
    """One of the open reviews, if there is any, is decided: the `which`-th, counted round."""

    at: datetime
    which: int
    approve: bool


@dataclass(frozen=True)
class Expiry:
    """The daily job runs."""

    at: datetime


Event = Import | Close | Decision | Expiry


@dataclass(frozen=True)
class Scenario:
    """All of it. `range_members` and `batches` say how the product cuts its work up, which must not matter."""

    zone: str
    rules: list[tuple[str, Rules]]
    periods: list[str]
    events: list[Event]
    batches: int
    range_members: int


def play(programme: Programme, events: list[Event]) -> Iterator[Any]:
    """Let everything happen; what each of the events answered."""
    for event in events:
        match event:
            case Import(at, rows):
                yield programme.record(rows, at)
            case Close(at, period, reviews):
                yield programme.close(period, reviews, now=at, by="ann")
            case Expiry(at):
                programme.expire(at)
            case Decision(at, which, approve):
                pending = sorted(
                    (review["customer_id"], review["tier"])
                    for review in programme.reviews()
                    if review["state"] == "pending"
                )
                if pending:
                    customer_id, tier = pending[which % len(pending)]
                    yield programme.decide(customer_id, tier, approve, by="bob", note="seen", now=at)


@st.composite
def _ladders(draw: st.DrawFn) -> tuple[Tier, ...]:
    steps = draw(st.lists(st.integers(1, 150), min_size=len(NAMES) - 1, max_size=len(NAMES) - 1))
    tiers = [Tier(NAMES[0], 0, Fraction(draw(st.integers(0, 20_000)), 10_000))]
    for name, step in zip(NAMES[1:], steps, strict=True):
        tiers.append(
            Tier(
                name,
                tiers[-1].threshold + step,
                Fraction(draw(st.integers(5_000, 30_000)), 10_000),
                review=draw(st.booleans()),
                voucher_minor=draw(st.sampled_from([None, 500, 1234])),
                gift=draw(st.sampled_from([None, None, "a box"])),
            )
        )
    return tuple(tiers)


RULES = st.builds(
    Rules,
    rate=st.one_of(
        st.sampled_from([Fraction(1, 10), Fraction(1), Fraction(0)]),
        st.integers(1, 3_000_000).map(lambda millionths: Fraction(millionths, 1_000_000)),
    ),
    ladder=_ladders(),
    window=st.sampled_from(["period", "last_30_days"]),
    qualify=st.sampled_from(["trailing_12_months", "lifetime", "period"]),
    pending_days=st.sampled_from([0, 0, 1, 20, 45, 100]),
    shortfall=st.sampled_from(["owe", "write_off"]),
    expiry_months=st.sampled_from([None, 1, 1, 2, 3]),
    hold_months=st.integers(0, 3),
    downgrade=st.sampled_from(["step", "step", "never"]),
    review_above_points=st.sampled_from([None, None, 20, 100]),
    review_days=st.sampled_from([1, 14, 60]),
    review_overdue=st.sampled_from(["lapse", "lapse", "escalate"]),
    review_again_months=st.integers(0, 3),
    reward_again_months=st.integers(0, 4),
    voucher_days=st.sampled_from([1, 30, 90]),
    exclude=st.sets(st.sampled_from(sorted(model.PIECES))).map(frozenset),
)


@st.composite
def _instants(draw: st.DrawFn, calendar: Calendar, periods: list[str]) -> datetime:
    """Any time of these months, often at their very edges, or thirty days before their end."""
    period = draw(st.sampled_from(periods))
    start, end = calendar.end(shift(period, -1)), calendar.end(period)
    if draw(st.booleans()):
        return start + draw(st.floats(0, 0.999)) * (end - start)
    edge = draw(st.sampled_from([start, start, calendar.later(end, days=-30)]))
    beside = draw(st.sampled_from([timedelta(0), timedelta(microseconds=-1), timedelta(minutes=30)]))
    return max(start, edge + beside)


@st.composite
def _sales(draw: st.DrawFn, number: int, calendar: Calendar, periods: list[str]) -> Transaction:
    amount = draw(st.one_of(st.integers(0, 500), st.integers(0, 100_000)))
    pieces: dict[str, int] = {}
    for piece in draw(st.lists(st.sampled_from(sorted(model.PIECES)), max_size=2, unique=True)):
        pieces[piece] = draw(st.integers(0, amount // 2 + (amount == 1)))
    return Transaction(
        f"T{number}",
        draw(st.sampled_from(CUSTOMERS)),
        draw(_instants(calendar, periods)),
        amount,
        source=draw(st.sampled_from(SOURCES)),
        pieces=pieces,
    )


@st.composite
def _refunds(draw: st.DrawFn, sale: Transaction, calendar: Calendar, periods: list[str]) -> list[Transaction]:
    """Of one sale: whole, in parts, too much in all, of another customer, before it, or naming none."""
    rows = []
    for part in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        amount = draw(st.one_of(st.just(max(1, sale.amount)), st.integers(1, max(1, sale.amount // 2))))
        rows.append(
            Transaction(
                f"{sale.transaction_id}-{part}",
                draw(st.sampled_from([sale.customer_id] * 9 + ["C1"])),
                draw(_instants(calendar, periods)),
                amount,
                kind="refund",
                original=draw(st.sampled_from([sale.transaction_id] * 6 + [None])),
                source=sale.source,
            )
        )
    return rows


@st.composite
def _arrivals(draw: st.DrawFn, calendar: Calendar, periods: list[str]) -> list[list[Transaction]]:
    """The rows that come in before each month's close: most in time, some late, some again, some changed."""
    arrivals: list[list[Transaction]] = [[] for _ in periods]
    for number in range(draw(st.integers(1, 10))):
        sale = draw(_sales(number, calendar, periods))
        for row in [sale, *draw(_refunds(sale, calendar, periods))]:
            stage = periods.index(calendar.period(row.occurred_at))
            stage = min(stage + draw(st.sampled_from([0, 0, 0, 1, 2])), len(periods) - 1)
            arrivals[stage].append(row)
            if draw(st.integers(0, 5)) == 0:
                again = draw(st.integers(stage, len(periods) - 1))
                changed = replace(row, amount=row.amount + 1) if again > stage and draw(st.booleans()) else row
                arrivals[again].append(changed)
    return arrivals


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """A programme of one to six months, closed soon after each month's end or all of them much later."""
    zone, start = draw(st.sampled_from(ZONES)), draw(st.sampled_from(STARTS))
    calendar = model.Programme(zone).calendar
    periods = [shift(start, number) for number in range(draw(st.integers(1, MONTHS_MOST)))]
    versions = [(shift(start, months), draw(RULES)) for months in draw(st.sampled_from([[0], [0], [0, 1], [0, 1, 3]]))]
    clock = calendar.end(draw(st.sampled_from([periods[0], periods[0], periods[-1]])))
    events: list[Event] = []
    for period, rows in zip(periods, draw(_arrivals(calendar, periods)), strict=True):
        clock = max(clock, calendar.end(period))
        kinds = ["decide", "decide", "expire", "again"]
        for kind in ["import", *draw(st.lists(st.sampled_from(kinds), max_size=4)), "close"]:
            clock += draw(st.sampled_from(DELAYS))
            match kind:
                case "import" | "again":
                    events.append(Import(clock, tuple(draw(st.permutations(rows)))))
                case "decide":
                    events.append(Decision(clock, draw(st.integers(0, 5)), draw(st.booleans())))
                case "expire":
                    events.append(Expiry(clock))
                case "close":
                    reviews = draw(st.sampled_from(["hold", "hold", "approve"]))
                    events += [Close(clock, period, reviews)] * draw(st.sampled_from([1, 1, 2]))
    return Scenario(zone, versions, periods, events, draw(st.integers(1, 6)), draw(st.integers(1, 4)))

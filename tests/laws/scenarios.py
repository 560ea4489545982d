"""Scenarios at random: what happened in a programme, in order, with the instants at which each thing was done.

A scenario is plain data, played by `play` on whatever has the model's methods. Hypothesis draws how many months and
sales it has, and a seed for the rest: drawn by Hypothesis one by one, nearly all the values would be so small, or so
like each other, that nobody ever moves up a tier. So a failure shrinks to the fewest months and sales of its kind.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Literal, Protocol

from hypothesis import settings
from hypothesis import strategies as st

from tests import model
from tests.model import Calendar, Rules, Tier, Transaction, shift

ZONES = [
    "UTC",
    "America/New_York",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "America/Havana",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Europe/Lisbon",
    "Pacific/Apia",
]
STARTS = ["2017-01", "2017-09", "2018-01", "2024-02", "2026-10"]
HISTORIES = max(20, settings().max_examples // 10)
"""How many random histories a law tries. Each is a programme's whole life: the full count is a tenth of the others'."""

CUSTOMERS = ["C1", "C2", "c1", "Ü-3"]
SOURCES = ["default", "default", "till"]
NAMES = ["Bronze", "Silver", "Gold"]
BEFORE_CLOSE = [
    [],
    ["decide"],
    ["decide", "again"],
    ["expire", "decide", "decide"],
    ["decide", "expire"],
    ["again", "decide", "expire", "decide"],
]
AFTER_CLOSE = [[], ["decide", "decide"], ["expire", "decide"]]
DELAYS = [timedelta(microseconds=1), timedelta(hours=7), timedelta(days=3), timedelta(days=14), timedelta(days=25)]
RATES = [Fraction(word) for word in "0.1 0.1 0.1 1 0.333333 1.5 2.718281 0.05 0.000001 0".split()]
LOWEST_MULTIPLIERS = [Fraction(word) for word in "1 1 1 1.25 0.3333 0".split()]
MULTIPLIERS = [Fraction(word) for word in "1 1.25 1.5 2.0001 0.5".split()]
MONTHS_MOST, SALES_MOST = 6, 12
STEPS = [1, 5, 10, 30, 60, 120]
AMOUNTS = [0, 1, 5, 99, 335, 999, 1000, 9990, 12600, 25000, 60000, 99999, 250000]
PARTS = [{}, {}, {}, {"tax": 10}, {"shipping": 5, "tip": 7}, {"gift_card": 50, "fee": 3}, {"paid_with_points": 100}]


class Programme(Protocol):
    """What the model and the product have in common."""

    calendar: Calendar

    def record(self, transactions: Any, recorded_at: datetime) -> list[tuple[str, str]]:
        """Import."""

    def close(self, period: str, reviews: Any = "hold", *, now: datetime, by: str = "backfill") -> str:
        """Close a month."""

    def decide(self, customer_id: str, tier_name: str, approve: bool, *, by: str, note: str, now: datetime) -> str:
        """Decide a review."""

    def expire(self, as_of: datetime) -> None:
        """Run the daily job."""

    def reviews(self) -> list[dict[str, Any]]:
        """List the reviews."""


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
                yield sorted(set(programme.record(rows, at)))
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


def _ladder(chance: random.Random) -> tuple[Tier, ...]:
    tiers = [Tier(NAMES[0], 0, chance.choice(LOWEST_MULTIPLIERS))]
    for name in NAMES[1:]:
        tiers.append(
            Tier(
                name,
                tiers[-1].threshold + chance.choice(STEPS),
                chance.choice(MULTIPLIERS),
                review=chance.choice([True, False]),
                voucher_minor=chance.choice([None, 500, 1234]),
                gift=chance.choice([None, None, "a box"]),
            )
        )
    return tuple(tiers)


def _rules(chance: random.Random) -> Rules:
    return Rules(
        rate=chance.choice(RATES),
        ladder=_ladder(chance),
        window=chance.choice(["period", "last_30_days"]),
        qualify=chance.choice(["trailing_12_months", "lifetime", "period"]),
        pending_days=chance.choice([0, 0, 0, 1, 20, 45, 100]),
        shortfall=chance.choice(["owe", "write_off"]),
        expiry_months=chance.choice([None, 1, 1, 2, 3]),
        hold_months=chance.randint(0, 3),
        downgrade=chance.choice(["step", "step", "never"]),
        review_above_points=chance.choice([None, None, 20, 100]),
        review_days=chance.choice([1, 14, 60]),
        review_overdue=chance.choice(["lapse", "lapse", "escalate"]),
        review_again_months=chance.randint(0, 3),
        reward_again_months=chance.randint(0, 4),
        voucher_days=chance.choice([1, 30, 90]),
        exclude=chance.choice([model.PIECES, model.PIECES, frozenset[str](), frozenset({"tax", "gift_card"})]),
    )


def _instant(chance: random.Random, calendar: Calendar, periods: list[str]) -> datetime:
    """Any time of these months, often at their very edges, or thirty days before their end."""
    period = chance.choice(periods)
    start, end = calendar.end(shift(period, -1)), calendar.end(period)
    if chance.random() < 0.6:
        return start + chance.random() * (end - start)
    edge = chance.choice([start, end, calendar.later(end, days=-30)])
    beside = chance.choice([timedelta(0), timedelta(microseconds=-1), timedelta(minutes=30)])
    return min(max(start, edge + beside), calendar.end(periods[-1]) - timedelta(microseconds=1))


def _sale(chance: random.Random, number: int, calendar: Calendar, periods: list[str]) -> Transaction:
    amount = chance.choice([*AMOUNTS, chance.randint(0, 100_000)])
    return Transaction(
        f"T{number}",
        chance.choice(CUSTOMERS),
        _instant(chance, calendar, periods),
        amount,
        source=chance.choice(SOURCES),
        pieces={piece: amount * percent // 100 for piece, percent in chance.choice(PARTS).items()},
    )


def _refunds(chance: random.Random, sale: Transaction, calendar: Calendar, periods: list[str]) -> Iterator[Transaction]:
    """Of one sale: whole, in parts, too much in all, of another customer, before it, or naming none."""
    now_or_later = periods[periods.index(calendar.period(sale.occurred_at)) :]
    for part in range(chance.choice([0, 0, 1, 1, 2, 3])):
        amount = chance.choice([sale.amount, chance.randint(0, sale.amount), chance.randint(0, sale.amount) // 2])
        yield Transaction(
            f"{sale.transaction_id}-{part}",
            chance.choice([sale.customer_id] * 14 + ["C1"]),
            _instant(chance, calendar, chance.choice([now_or_later] * 5 + [periods])),
            max(1, amount),
            kind="refund",
            original=chance.choice([sale.transaction_id] * 8 + [None]),
            source=sale.source,
        )


def _arrivals(chance: random.Random, calendar: Calendar, periods: list[str], sales: int) -> list[list[Transaction]]:
    """The rows that come in before each month's close: most in time, some late, some again, some changed."""
    arrivals: list[list[Transaction]] = [[] for _ in periods]
    for number in range(sales):
        sale = _sale(chance, number, calendar, periods)
        earliest = 0
        for row in [sale, *_refunds(chance, sale, calendar, periods)]:
            stage = periods.index(calendar.period(row.occurred_at)) + chance.choice([0, 0, 0, 0, 1, 2])
            stage = min(max(stage, earliest), len(periods) - 1)
            earliest = chance.choice([stage, stage, stage, 0]) if row is sale else earliest
            arrivals[stage].append(row)
            if chance.random() < 0.2:
                again = chance.randint(stage, len(periods) - 1)
                changed = replace(row, amount=row.amount + 1) if again > stage and chance.random() < 0.5 else row
                arrivals[again].append(changed)
    return arrivals


def _stage(
    chance: random.Random, clock: datetime, period: str, rows: list[Transaction], after: list[str]
) -> list[Event]:
    """What happens from the end of a month on, or from `clock`, to the next one's end."""
    events: list[Event] = []
    for kind in ["import", *chance.choice(BEFORE_CLOSE), "close", *after]:
        clock += chance.choice(DELAYS)
        match kind:
            case "import" | "again":
                events.append(Import(clock, tuple(chance.sample(rows, len(rows)))))
            case "decide":
                events.append(Decision(clock, chance.randint(0, 5), approve=chance.random() < 0.7))
            case "expire":
                events.append(Expiry(clock))
            case "close":
                reviews: Literal["hold", "approve"] = chance.choice(["hold", "hold", "approve"])
                events += [Close(clock, period, reviews)] * chance.choice([1, 1, 1, 2])
    return events


def scenario(seed: int, months: int, sales: int) -> Scenario:
    """A programme of so many months, closed soon after each month's end or all of them much later."""
    chance = random.Random(seed)
    zone, start = chance.choice(ZONES), chance.choice(STARTS)
    calendar = model.Programme(zone).calendar
    periods = [shift(start, number) for number in range(months)]
    versions = [(shift(start, later), _rules(chance)) for later in chance.choice([[0], [0], [0, 1], [0, 1, 3]])]
    clock = calendar.end(chance.choice([periods[0], periods[0], periods[-1]]))
    events: list[Event] = []
    for period, rows in zip(periods, _arrivals(chance, calendar, periods, sales), strict=True):
        after = chance.choice(AFTER_CLOSE) if period == periods[-1] else []
        events += _stage(chance, max(clock, calendar.end(period)), period, rows, after)
        clock = events[-1].at
    return Scenario(zone, versions, periods, events, chance.randint(1, 6), chance.randint(1, 4))


SCENARIOS = st.builds(scenario, st.integers(0, 2**48), st.integers(1, MONTHS_MOST), st.integers(1, SALES_MOST))

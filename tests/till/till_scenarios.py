"""Random histories of tills: purchases, refunds, redemptions, files that come late, closes, the daily job.

Each is plain data, as those of tests/laws/scenarios.py, and is played on whatever has the model's methods.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from hypothesis import strategies as st

from tests import model
from tests.laws.scenarios import AMOUNTS, CUSTOMERS, PARTS, STARTS, ZONES, _rules
from tests.model import Rules, Transaction, shift
from tests.till_model import Waits

EVENTS_MOST = 30
STEPS = [
    timedelta(0),
    timedelta(microseconds=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=9),
    timedelta(days=2),
    timedelta(days=9),
    timedelta(days=25),
]
EARNING: list[Literal["monthly", "on_purchase"]] = ["on_purchase", "on_purchase", "on_purchase", "monthly"]
KINDS = ["buy"] * 6 + ["refund"] * 5 + ["redeem"] * 3 + ["hold"] * 2 + ["commit", "cancel", "cancel", "sweep"]
KINDS += ["take_file"] * 2 + ["close"] * 4 + ["expire", "decide", "again", "correct"]


@dataclass(frozen=True)
class Event:
    """Something that happens at an instant; `which` chooses among what there is, counted round."""

    kind: str
    at: datetime
    rows: tuple[Transaction, ...] = ()
    which: int = 0
    customer: str = ""
    points: int = 0
    approve: bool = False


@dataclass(frozen=True)
class TillScenario:
    """All of it. `range_members` and `batches` say how the product cuts a close up."""

    zone: str
    rules: list[tuple[str, Rules]]
    start: str
    events: list[Event]
    batches: int
    range_members: int


def play(programme: Any, scenario: TillScenario) -> Iterator[Any]:
    """Let everything happen; what each event answered, and how the member then stands."""
    playing = _Playing(programme, scenario.start)
    for event in scenario.events:
        try:
            answer = getattr(playing, event.kind)(event)
        except (model.Refused, Waits) as refused:
            answer = repr(refused)
        yield event.kind, answer, _standing(programme, event)


class _Playing:
    """A history under way: what was spent so far, and the month that closes next. A method for each kind of event."""

    def __init__(self, programme: Any, start: str) -> None:
        self.programme, self.closing = programme, start
        self.spent: list[str] = []

    def buy(self, event: Event) -> Any:
        return [self.programme.purchase(row, event.at) for row in event.rows]

    again = buy

    def refund(self, event: Event) -> Any:
        return [self.programme.refund(row, event.at) for row in event.rows]

    def redeem(self, event: Event) -> Any:
        hold = event.kind == "hold"
        self.spent.append(self.programme.redeem(event.customer, event.points, event.at, hold=hold))
        return self.spent[-1]

    hold = redeem

    def commit(self, event: Event) -> Any:
        if self.spent:
            return getattr(self.programme, event.kind)(self.spent[event.which % len(self.spent)], event.at)
        return None

    cancel = commit

    def sweep(self, event: Event) -> None:
        self.programme.sweep(event.at)

    def expire(self, event: Event) -> None:
        self.programme.sweep(event.at)
        self.programme.expire(event.at)

    def take_file(self, event: Event) -> Any:
        return sorted(set(self.programme.record(event.rows, event.at)))

    def correct(self, event: Event) -> Any:
        return sorted(set(self.programme.record(event.rows, event.at, correct=True)))

    def close(self, event: Event) -> Any:
        if self.programme.calendar.end(self.closing) > event.at:
            return None
        way: Literal["hold", "approve"] = "approve" if event.approve else "hold"
        answer = self.programme.close(self.closing, way, now=event.at, by="ann")
        self.closing = shift(self.closing, 1)
        return answer

    def decide(self, event: Event) -> Any:
        pending = sorted((r["customer_id"], r["tier"]) for r in self.programme.reviews() if r["state"] == "pending")
        if not pending:
            return None
        customer_id, tier = pending[event.which % len(pending)]
        return self.programme.decide(customer_id, tier, event.approve, by="bob", note="seen", now=event.at)


def closed_by(scenario: TillScenario) -> list[str]:
    """The months that the events close, in order."""
    calendar, months = model.Programme(scenario.zone).calendar, []
    month = scenario.start
    for event in scenario.events:
        if event.kind == "close" and calendar.end(month) <= event.at:
            months.append(month)
            month = shift(month, 1)
    return months


def _standing(programme: Any, event: Event) -> Any:
    customers = {row.customer_id for row in event.rows} | {event.customer} - {""}
    try:
        return [programme.standing(customer, event.at) for customer in sorted(customers)]
    except (KeyError, ValueError):  # the customer was not enrolled
        return None


class _Drawing:
    """What has been sold so far, so that refunds have something to name."""

    def __init__(self, chance: random.Random, calendar: model.Calendar, start: str) -> None:
        self.chance, self.calendar = chance, calendar
        self.earliest = calendar.end(shift(start, -1))
        self.sales: list[Transaction] = []
        self.told: list[Transaction] = []

    def sale(self, at: datetime) -> Transaction:
        amount = self.chance.choice([*AMOUNTS, self.chance.randint(0, 100_000)])
        back = self.chance.choice([timedelta(0)] * 5 + [timedelta(hours=5), timedelta(days=20), timedelta(hours=-6)])
        sale = Transaction(
            f"T{len(self.sales)}",
            self.chance.choice(CUSTOMERS[:2]),
            max(at - back, self.earliest),
            amount,
            source="default",
            pieces={piece: amount * part // 100 for piece, part in self.chance.choice(PARTS).items()},
        )
        self.sales.append(sale)
        return sale

    def refund(self, at: datetime) -> Transaction:
        sale = self.chance.choice(self.sales)
        amount = self.chance.choice([sale.amount, sale.amount // 2, self.chance.randint(1, 1 + sale.amount // 3)])
        back = self.chance.choice([timedelta(0)] * 5 + [timedelta(days=1), timedelta(days=15)])
        return Transaction(
            f"R{len(self.told)}",
            self.chance.choice([sale.customer_id] * 9 + [CUSTOMERS[0]]),
            max(at - back, self.earliest),
            max(1, amount),
            kind="refund",
            original=sale.transaction_id,
        )

    def file(self, at: datetime) -> tuple[Transaction, ...]:
        rows = [self.sale(at) for _ in range(self.chance.randint(1, 2))]
        rows += [self.refund(at) for _ in range(self.chance.randint(0, 1))]
        rows += self.chance.sample(self.told, min(len(self.told), self.chance.choice([0, 0, 1])))
        return tuple(rows)

    def event(self, kind: str, at: datetime) -> Event:
        chance = self.chance
        rows: tuple[Transaction, ...] = ()
        match kind:
            case "buy":
                rows = (self.sale(at),)
            case "refund" if self.sales:
                rows = (self.refund(at),)
            case "take_file":
                rows = self.file(at)
            case "correct" if self.sales:
                sale = chance.choice(self.sales)
                other = replace(sale, amount=max(sale.amount + chance.choice([-500, -1, 1, 1000]), 0), pieces={})
                self.sales[self.sales.index(sale)] = other
                rows = (other,)
            case "again" if self.sales:
                sale = chance.choice(self.sales)
                rows = (chance.choice([sale, sale, replace(sale, amount=sale.amount + 1)]),)
        self.told += rows
        points = chance.choice([1, 5, 9, 12, 25, 100, 400])
        customer = chance.choice(CUSTOMERS[:2]) if kind in {"redeem", "hold"} else ""
        return Event(kind, at, rows, chance.randint(0, 9), customer, points, approve=chance.random() < 0.6)


def scenario(seed: int, events: int, kinds: list[str] = KINDS) -> TillScenario:
    """So many events of these kinds in a programme that mostly earns on purchase."""
    chance = random.Random(seed)
    zone, start = chance.choice(ZONES), chance.choice(STARTS)
    calendar = model.Programme(zone).calendar
    versions = [
        (shift(start, later), replace(_rules(chance), earning=chance.choice(EARNING)))
        for later in chance.choice([[0], [0], [0, 1], [0, 1, 3]])
    ]
    drawing = _Drawing(chance, calendar, start)
    at = drawing.earliest + timedelta(hours=chance.randint(1, 300))
    happened = []
    for _ in range(events):
        happened.append(drawing.event(chance.choice(kinds), at))
        at += chance.choice(STEPS)
    for _ in range(3):
        at += timedelta(days=32)
        happened.append(drawing.event("close", at))
    return TillScenario(zone, versions, start, happened, chance.randint(1, 3), chance.randint(1, 3))


TILL_SCENARIOS = st.builds(scenario, st.integers(0, 2**48), st.integers(1, EVENTS_MOST))

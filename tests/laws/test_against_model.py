"""The product against the model: any history, cut up in any way, ends in the same books on both."""

import tempfile
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings

from loyalty.db import closing
from tests import model
from tests.laws.conftest import Databases
from tests.laws.product import Product
from tests.laws.scenarios import CUSTOMERS, HISTORIES, NAMES, SCENARIOS, Scenario, play, scenario


def books(programme: Any, periods: list[str]) -> dict[str, Any]:
    """Everything that a scenario leaves, by what it is."""
    return {
        "statements": [programme.statements(period) for period in periods],
        "entries": programme.entries(),
        "lots": {customer: _lots(programme, customer) for customer in CUSTOMERS},
        "moves": {customer: programme.tier_history(customer) for customer in _enrolled(programme, periods)},
        "vouchers": _ordered(programme.vouchers()),
        "gifts": _ordered(programme.gifts()),
        "reviews": _ordered(programme.reviews()),
        "warnings": sorted(programme.warnings()),
    }


def messages(actual: Product) -> list[tuple[str, str, str]]:
    """(customer_id, kind, occasion) of what a close or a decision has queued; the daily job's warnings are left out."""
    rows = [(row["customer_id"], row["kind"], row["occasion"]) for row in actual.read("messages")]
    return sorted(row for row in rows if row[1] not in {"points_expiring", "voucher_expiring"})


def due_messages(expected: model.Programme, periods: list[str]) -> list[tuple[str, str, str]]:
    """What members have to hear: of points credited, of moves up as they take effect, of moves down, of warnings."""
    due = [(customer, "tier_at_risk", period) for customer, period, _ in expected.warnings()]
    for period in periods:
        rows = expected.statements(period)
        due += [(row["customer_id"], "points_credited", period) for row in rows if int(row["points_earned"]) > 0]
    for customer in _enrolled(expected, periods):
        moves: list[tuple[str, Any]] = [(NAMES[0], None), *expected.tier_history(customer)]
        for (before, _), (after, at) in pairwise(moves):
            if NAMES.index(after) > NAMES.index(before):
                due.append((customer, "tier_upgrade", f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"))
            else:
                due.append((customer, "tier_changed_down", expected.calendar.period(at - timedelta(microseconds=1))))
    return sorted(due)


def _enrolled(programme: Any, periods: list[str]) -> list[str]:
    return sorted({row["customer_id"] for period in periods for row in programme.statements(period)})


def _lots(programme: Any, customer: str) -> list[dict[str, Any]]:
    try:
        return programme.lots(customer)
    except KeyError:  # the model knows no such member
        return []


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [str(row[name]) for name in sorted(row)])


@settings(suppress_health_check=list(HealthCheck), max_examples=HISTORIES)
@given(history=SCENARIOS)
@example(history=scenario(15, 6, 12))  # a month of many points asked for an upgrade that a month of few finds due
def test_the_product_does_what_the_model_does(databases: Databases, history: Scenario) -> None:
    """Statements, entries, lots, moves, vouchers, gifts, reviews, messages are the model's; every check holds."""
    expected = model.Programme(history.zone, history.rules)
    answers = list(play(expected, history.events))
    with databases(astride=True) as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(closing, "RANGE", history.range_members)
        actual = Product(patch, Path(folder), history.zone, history.rules, batches=history.batches)

        assert list(play(actual, history.events)) == answers
        assert books(actual, history.periods) == books(expected, history.periods)
        assert messages(actual) == due_messages(expected, history.periods)
        assert actual.wrong() == {}

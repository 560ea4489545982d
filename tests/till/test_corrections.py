"""Corrections where points are posted at once: what tills refund of a corrected sale, and histories of both."""

import random
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.db import closing
from tests.laws.conftest import Databases
from tests.laws.scenarios import HISTORIES
from tests.laws.test_against_model import books
from tests.model import Transaction
from tests.till.conftest import Shop
from tests.till.till_product import TillProduct
from tests.till.till_scenarios import TillScenario, closed_by, play, scenario
from tests.till_model import TillProgramme

KINDS = ["buy"] * 4 + ["refund"] * 6 + ["correct"] * 5 + ["close"] * 4 + ["redeem", "cancel", "take_file", "decide"]


def test_a_refund_of_a_corrected_sale_is_taken_once(shop: Shop) -> None:
    """Law (4, 16): of a sale whose replacement kept its month, a till takes that month's points, and no close again."""
    till = shop()
    sale = Transaction("T1", "C1", datetime(2026, 1, 10, tzinfo=UTC), 10_000)
    till.purchase(sale, sale.occurred_at)
    till.close("2026-01", now=datetime(2026, 2, 1, tzinfo=UTC))
    till.record([replace(sale, amount=20_000)], datetime(2026, 2, 10, tzinfo=UTC), correct=True)
    till.close("2026-02", now=datetime(2026, 3, 1, tzinfo=UTC))
    at = datetime(2026, 3, 10, tzinfo=UTC)
    taken = till.refund(Transaction("R1", "C1", at, 5_000, kind="refund", original="T1"), at)
    till.close("2026-03", now=datetime(2026, 4, 1, tzinfo=UTC))

    assert taken == -5
    assert [(row["period"], row["kind"], row["source"], row["points"]) for row in till.entries()] == [
        ("2026-01", "earn", "till", 10),
        ("2026-02", "earn", "close", 10),
        ("2026-03", "take_back", "till", -5),
    ]
    assert till.wrong() == {}


def corrected(seed: int, events: int) -> TillScenario:
    """A history in which sales are corrected often, and refunded before and after."""
    drawn = scenario(seed, events, KINDS)
    lively = random.Random(seed).random() < 0.8
    rules = [(start, replace(each, earning="on_purchase") if lively else each) for start, each in drawn.rules]
    return replace(drawn, rules=rules)


@settings(suppress_health_check=list(HealthCheck), max_examples=HISTORIES // 4)
@given(history=st.builds(corrected, st.integers(0, 2**48), st.integers(10, 30)))
def test_corrected_histories_end_in_the_models_books(databases: Databases, history: TillScenario) -> None:
    """Law: however sales of tills are corrected, answers, standings and books are the model's; every check holds."""
    expected = TillProgramme(history.zone, history.rules)
    answers = list(play(expected, history))
    months = closed_by(history)
    with databases(astride=True) as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(closing, "RANGE", history.range_members)
        actual = TillProduct(patch, Path(folder), history.zone, history.rules, batches=history.batches)

        assert list(play(actual, history)) == answers
        assert books(actual, months) == books(expected, months)
        assert actual.wrong() == {}

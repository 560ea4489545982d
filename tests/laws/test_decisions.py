"""What managers were asked is theirs: several reviews of one member at once, and reviews that nobody has approved."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from loyalty.db import merges, reviews, simulation
from loyalty.db.engine import transaction
from tests.laws.conftest import Databases
from tests.laws.product import Product
from tests.model import Rules, Tier, Transaction

FEBRUARY, MARCH = datetime(2026, 2, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, 1, tzinfo=UTC)
MANY_POINTS = Rules(review_above_points=100, review_days=60)


def bought(customer: str) -> Transaction:
    """What brings 150 points in January: Silver."""
    return Transaction(f"T-{customer}", customer, datetime(2026, 1, 10, tzinfo=UTC), 150_000)


@pytest.mark.parametrize(
    ("refunded", "decided"),
    [
        (1, {"Gold": ("lapsed", "a higher upgrade was approved"), "Platinum": ("approved", "well")}),
        (300_000, {"Gold": ("approved", "well"), "Platinum": ("lapsed", "the member no longer qualifies")}),
    ],
)
def test_the_highest_upgrade_that_still_holds_is_made(
    databases: Databases, tmp_path: Path, refunded: int, decided: dict[str, tuple[str, str]]
) -> None:
    """Gold and Platinum approved together bring Platinum; where its points are refunded since, they bring Gold."""
    with databases() as patch:
        product = Product(patch, tmp_path)
        sales = [Transaction(f"T{month}", "C1", datetime(2026, month, 10, tzinfo=UTC), 300_000) for month in (1, 2)]
        product.record(sales, datetime(2026, 3, 1, tzinfo=UTC))
        product.close("2026-01", now=datetime(2026, 3, 1, 1, tzinfo=UTC))
        product.close("2026-02", now=datetime(2026, 3, 1, 1, tzinfo=UTC))
        back = Transaction("R", "C1", datetime(2026, 3, 2, tzinfo=UTC), refunded, kind="refund", original="T2")
        product.record([back], datetime(2026, 3, 3, tzinfo=UTC))
        names = {row["review_no"]: row["tier"] for row in product.read("reviews")}
        made = reviews.approve(sorted(names), by="ann", note="well")
        moved = [tier for tier, outcome in decided.items() if outcome[0] == "approved"]

        assert {names[decision.review_no]: (decision.state, decision.note) for decision in made} == decided
        assert [tier for tier, _ in product.tier_history("C1")] == moved
        assert [voucher["tier"] for voucher in product.vouchers()] == moved
        assert product.wrong() == {}


@pytest.mark.parametrize(("decision", "asked"), [("left open", 0), ("rejected", 0), ("lapsed", 1)])
def test_a_simulation_moves_nobody_whom_a_close_would_not(
    databases: Databases, tmp_path: Path, decision: str, asked: int
) -> None:
    """Law (8): a month shows no move past a review, before its close and after; only what lapsed is asked again."""
    with databases() as patch:
        product = Product(patch, tmp_path, rules=replace(MANY_POINTS, review_days=14 if decision == "lapsed" else 60))
        product.record([bought("C1")], FEBRUARY)
        product.close("2026-01", now=FEBRUARY)
        if decision == "rejected":
            product.decide("C1", "Silver", False, by="ann", note="seen", now=FEBRUARY)
        product.expire(MARCH)
        before = simulation.simulate(date(2026, 2, 1))
        product.close("2026-02", now=MARCH)
        after = simulation.simulate(date(2026, 2, 1))

        assert [(effects.moves_up, effects.reviews) for effects in (before, after)] == [(0, asked)] * 2
        assert product.tier_history("C1") == []
        assert product.wrong() == {}


def test_a_tier_that_needs_no_review_any_more_is_still_to_be_decided(databases: Databases, tmp_path: Path) -> None:
    """Law (8): rules that stop asking do not grant what was asked under those before; who was not asked goes up."""
    asking = Rules(ladder=(Tier("Bronze", 0), Tier("Silver", 120, review=True)), review_days=60)
    versions = [("", asking), ("2026-02", replace(asking, ladder=(Tier("Bronze", 0), Tier("Silver", 120))))]
    with databases() as patch:
        product = Product(patch, tmp_path, rules=versions)
        late = replace(bought("C2"), occurred_at=datetime(2026, 2, 10, tzinfo=UTC))
        product.record([bought("C1"), late], MARCH)
        product.close("2026-01", now=MARCH)
        product.close("2026-02", now=MARCH)

        assert [(row["tier_after"], row["review"]) for row in product.statements("2026-02")] == [
            ("Bronze", "pending"),
            ("Silver", "none"),
        ]
        assert product.wrong() == {}


@pytest.mark.parametrize("decision", ["left open", "rejected"])
def test_a_merge_is_no_way_round_a_review(databases: Databases, tmp_path: Path, decision: str) -> None:
    """Laws (8, 15): what was asked of the lost member, and not approved, is asked of the kept one."""
    with databases() as patch:
        product = Product(patch, tmp_path, rules=MANY_POINTS)
        product.record([bought("C1"), replace(bought("C2"), amount=1_000)], FEBRUARY)
        product.close("2026-01", now=FEBRUARY)
        if decision == "rejected":
            product.decide("C1", "Silver", False, by="ann", note="seen", now=FEBRUARY)
        with transaction() as connection:
            merges.merge(connection, "C2", "C1", "ann", FEBRUARY)
        product.close("2026-02", now=MARCH)
        stated = {row["customer_id"]: (row["tier_after"], row["review"]) for row in product.statements("2026-02")}

        assert stated["C2"] == ("Bronze", "pending")
        assert product.tier_history("C2") == []
        assert product.wrong() == {}

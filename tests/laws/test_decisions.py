"""Decisions on several reviews of one member at once: the highest upgrade that still holds is made, and no other."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from loyalty.db import reviews
from tests.laws.conftest import Databases
from tests.laws.product import Product
from tests.model import Transaction


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

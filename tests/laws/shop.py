"""A small shop of two months, in the second of which each of the fifteen steps has something to do."""

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.laws.product import Product
from tests.model import Rules, Tier, Transaction

MEMBERS = 12
LADDER = (
    Tier("Bronze", 0),
    Tier("Silver", 10, voucher_minor=500),
    Tier("Gold", 30, Fraction(5, 4), voucher_minor=1000, gift="a box"),
    Tier("Platinum", 100, Fraction(3, 2), review=True, voucher_minor=2500),
)
RULES = Rules(ladder=LADDER, expiry_months=1, voucher_days=5, review_days=60)
JANUARY_CLOSED_AT = datetime(2026, 2, 2, tzinfo=UTC)
FEBRUARY_CLOSED_AT = datetime(2026, 3, 2, tzinfo=UTC)


def opened(patch: pytest.MonkeyPatch, folder: Path) -> Product:
    """January closed, February imported: sales, refunds of January's sales, one that names none, points that expire."""
    shop = Product(patch, folder, rules=RULES)
    rows = [row for number in range(1, MEMBERS + 1) for row in _transactions(f"C{number:02}", number)]
    january = [row for row in rows if row.occurred_at.month == 1]
    assert shop.record(january, JANUARY_CLOSED_AT) == []
    assert shop.close("2026-01", now=JANUARY_CLOSED_AT) == "closed"
    assert shop.record(rows, FEBRUARY_CLOSED_AT) == []
    return shop


def reopened(patch: pytest.MonkeyPatch, folder: Path) -> Product:
    """The shop in a copy of a database in which it was opened."""
    return Product(patch, folder, rules=RULES)


def books(shop: Product) -> dict[str, Any]:
    """All that may not depend on how the months were closed: everything but ids, codes and record times."""
    return {
        "exports": [shop.exported(period) for period in ("2026-01", "2026-02")],
        "entries": shop.entries(),
        "lots": {f"C{number:02}": shop.lots(f"C{number:02}") for number in range(1, MEMBERS + 1)},
        "moves": {f"C{number:02}": shop.tier_history(f"C{number:02}") for number in range(1, MEMBERS + 1)},
        "vouchers": sorted(map(str, shop.vouchers())),
        "gifts": sorted(map(str, shop.gifts())),
        "reviews": sorted(str({**row, "asked_at": None, "deadline": None}) for row in shop.reviews()),
        "messages": sorted(map(str, shop.read("messages"))),
        "digests": shop.read("digests"),
        "reports": shop.read("reports"),
        "wrong": shop.wrong(),
    }


def _transactions(customer: str, number: int) -> list[Transaction]:
    def row(name: str, month: int, amount: int, **more: Any) -> Transaction:
        return Transaction(
            f"{customer}-{name}", customer, datetime(2026, month, 1 + number, tzinfo=UTC), amount, **more
        )

    rows = [
        row("first", 1, 15_000 + number),
        row("back", 2, 3_000, kind="refund", original=f"{customer}-first"),
        row("second", 2, 25_000 if number % 2 == 0 else 100_000),
    ]
    return [*rows, row("unnamed", 2, 777, kind="refund")] if number % 3 == 0 else rows

"""How reports write numbers."""

from decimal import Decimal

import pytest

from loyalty.reports import formats
from loyalty.reports.formats import MINUS, NOTHING, TIMES


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (123_450, "USD", "$1,234.50"),
        (-5, "EUR", "-€0.05"),
        (1234, "JPY", "¥1,234"),
        (1234, "ISK", "ISK1,234"),
        (123_450, "HUF", "HUF1,234.50"),
        (1234, "KWD", "KWD1.234"),
        (None, "USD", NOTHING),
    ],
)
def test_money_has_its_currencys_decimals(minor: int | None, currency: str, shown: str) -> None:
    """Law: the decimals are ISO 4217's, as everywhere in the product; no amount is a dash."""
    assert formats.money(minor, currency) == shown


def test_what_cant_be_told_is_a_dash() -> None:
    """Law: nothing is divided by nothing."""
    assert formats.percent(5, 0) == NOTHING
    assert formats.average(5, 0) is None
    assert formats.change(0, 5) == formats.change(None, 5) == formats.change(5, None) == NOTHING
    assert formats.times(5, 0) == formats.times(None, 5) == NOTHING
    assert formats.whole(None) == NOTHING


def test_figures_read_as_people_write_them() -> None:
    """Law: grouped, with a real minus, shares with one decimal, a point's worth with all of its own."""
    assert formats.whole(1_234_567) == "1,234,567"
    assert [formats.signed(number) for number in (12_345, 0, -12)] == ["+12,345", "0", f"{MINUS}12"]
    assert formats.percent(1, 3) == "33.3%"
    assert [formats.change(200, after) for after in (300, 200, 1)] == ["+50.0%", "0.0%", f"{MINUS}99.5%"]
    assert formats.times(240, 100) == f"2.4 {TIMES}"
    assert formats.point_value(Decimal("0.0125"), "USD") == "$0.0125"
    assert [formats.short(number) for number in (5, 1200, 2_500_000)] == ["5", "1.2K", "2.5M"]

"""Money: major units are people's, minor units the database's."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.errors import BadInput
from loyalty.rules.money import MINOR_DIGITS, decimals, to_major, to_minor


@given(st.integers(-(10**18), 10**18), st.sampled_from(sorted(MINOR_DIGITS)))
def test_minor_units_survive_the_way_there_and_back(minor: int, currency: str) -> None:
    """No amount of any currency changes on the way to people and back."""
    assert to_minor(to_major(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "major"), [(500, "USD", "5.00"), (500, "JPY", "500"), (500, "KWD", "0.500")]
)
def test_amounts_are_shown_as_the_currency_has_them(minor: int, currency: str, major: str) -> None:
    """Two decimals, none or three."""
    assert str(to_major(minor, currency)) == major


def test_finer_amounts_are_refused() -> None:
    """Nothing is rounded on the way in; zeros at the end are no decimals."""
    assert to_minor(Decimal("5.000"), "USD") == 500
    with pytest.raises(BadInput) as error:
        to_minor(Decimal("5.005"), "USD")
    assert str(error.value) == "5.005 has more decimals than USD, which has 2"


@pytest.mark.parametrize(
    ("number", "count"),
    [("0", 0), ("0.00", 0), ("1E+3", 0), ("0.10", 1), ("10.0", 0), ("1E-7", 7), ("1.050", 2)],
)
def test_decimals_needed(number: str, count: int) -> None:
    """Zeros at the end don't count, nor does the way of writing."""
    assert decimals(Decimal(number)) == count

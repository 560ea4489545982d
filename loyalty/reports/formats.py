"""How reports write numbers: in English, as the reports are, and money in the programme's currency.

What can't be told, such as a share of nothing, is a dash.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import (
    format_compact_currency,
    format_compact_decimal,
    format_currency,
    format_decimal,
    format_percent,
)

from loyalty.rules.money import MINOR_DIGITS, to_major

LOCALE = "en"
NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"


def whole(number: int | None) -> str:
    """A count or points, grouped: 12,345. None is a dash."""
    return NOTHING if number is None else str(format_decimal(number, locale=LOCALE))


def signed(number: int) -> str:
    """A change, with its sign: +12,345; zero has none."""
    return _sign(number) + whole(abs(number))


def short(number: float) -> str:
    """A number for the axis of a chart: 1.2M."""
    digits = 0 if abs(number) < 1000 else 1
    return str(format_compact_decimal(number, locale=LOCALE, fraction_digits=digits))


def money(minor: int | None, currency: str) -> str:
    """Whole minor units as money: $1,234.50. None is a dash."""
    if minor is None:
        return NOTHING
    # ISO's decimals, as everywhere in the product: the locale data has fewer for some currencies
    decimals = MINOR_DIGITS[currency]
    pattern = "¤#,##0" + ("." + "0" * decimals if decimals else "")
    return str(format_currency(to_major(minor, currency), currency, pattern, LOCALE, currency_digits=False))


def signed_money(minor: int, currency: str) -> str:
    """A change of whole minor units, with its sign: +$1,234.50; zero has none."""
    return _sign(minor) + money(abs(minor), currency)


def short_money(minor: float, currency: str) -> str:
    """Whole minor units for the axis of a chart: $1.2K."""
    major = to_major(round(minor), currency)
    digits = 0 if abs(major) < 1000 else 1
    return str(format_compact_currency(major, currency, locale=LOCALE, fraction_digits=digits))


def point_value(major: Decimal, currency: str) -> str:
    """What one point is worth, with all its decimals: $0.0125."""
    return str(format_currency(major, currency, locale=LOCALE, decimal_quantization=False))


def average(total: int, count: int) -> int | None:
    """The mean, half-even to whole units; None of nothing."""
    return round(Decimal(total) / count) if count else None


def percent(part: int, total: int) -> str:
    """A share with one decimal: 12.3%. A share of nothing is a dash."""
    return _percent(Decimal(part) / total) if total else NOTHING


def change(before: Decimal | int | None, after: Decimal | int | None) -> str:
    """How much more or less, in percent of `before`: +12.3%. A dash if there was nothing before."""
    if not before or after is None:
        return NOTHING
    difference = Decimal(after) / Decimal(before) - 1
    return _sign(difference) + _percent(abs(difference))


def times(part: int | None, base: int | None) -> str:
    """How many times as much, with one decimal and the sign."""
    if part is None or not base:
        return NOTHING
    return f"{format_decimal(Decimal(part) / base, '#,##0.0', locale=LOCALE)} {TIMES}"


def month(period: date) -> str:
    """A period for people: December 2017."""
    return str(format_date(period, "LLLL y", locale=LOCALE))


def short_month(period: date) -> str:
    """A period in a narrow column: Dec 2017."""
    return str(format_date(period, "LLL y", locale=LOCALE))


def axis_months(periods: Sequence[date]) -> list[str]:
    """Periods along an axis: Nov 17, Dec, Jan 18, Feb. The first and each January tell the year."""
    return [
        str(format_date(period, "LLL yy" if place == 0 or period.month == 1 else "LLL", locale=LOCALE))
        for place, period in enumerate(periods)
    ]


def _sign(number: Decimal | int) -> str:
    return "+" if number > 0 else MINUS if number < 0 else ""


def _percent(share: Decimal) -> str:
    return str(format_percent(share, "#,##0.0%", locale=LOCALE))

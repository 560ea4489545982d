"""Periods: calendar months in the programme's time zone. A period is the `date` of its first day.

Instants come back in UTC, since Python's arithmetic on two local times ignores the clock change between them.
"""

import re
from datetime import UTC, date, datetime, time, tzinfo

from loyalty.errors import WrongUse

FIRST_YEAR, LAST_YEAR = 1900, 2199
_PERIOD = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


def parse_period(text: str) -> date:
    """Read "2026-01"; WrongUse for anything else."""
    found = _PERIOD.fullmatch(text)
    if not found or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        shown = "".join(symbol if symbol.isprintable() else "?" for symbol in text[:40])
        raise WrongUse(
            f"a period is a month written as YYYY-MM, such as 2026-01, "
            f'in the years {FIRST_YEAR} to {LAST_YEAR}, not "{shown}"'
        )
    return date(int(found[1]), int(found[2]), 1)


def display_period(period: date) -> str:
    """Write a period as people do: 2026-01."""
    return f"{period.year:04}-{period.month:02}"


def shifted(period: date, months: int) -> date:
    """Give the period so many months later, or earlier if `months` is negative."""
    year, month = divmod(period.year * 12 + period.month - 1 + months, 12)
    return date(year, month + 1, 1)


def previous(period: date) -> date:
    """Give the period before."""
    return shifted(period, -1)


def following(period: date) -> date:
    """Give the period after."""
    return shifted(period, 1)


def months_between(first: date, last: date) -> list[date]:
    """List the periods from first to last, both included, in order; none if last is the earlier."""
    months = (last.year - first.year) * 12 + last.month - first.month
    return [shifted(first, month) for month in range(months + 1)]


def period_bounds(period: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """Give the period's start and its end, which is no longer part of it, as instants in UTC."""
    return day_starts_at(period, zone), day_starts_at(following(period), zone)


def period_of(instant: datetime, zone: tzinfo) -> date:
    """Give the period that an aware instant falls into."""
    return instant.astimezone(zone).date().replace(day=1)


def last_whole_month(now: datetime, zone: tzinfo) -> date:
    """Give the latest period that has ended at `now`, an aware instant."""
    return previous(period_of(now, zone))


def day_starts_at(day: date, zone: tzinfo) -> datetime:
    """Give a day's first instant, in UTC: of a midnight that comes twice the first, where none comes what follows."""
    return datetime.combine(day, time(), zone).astimezone(UTC)

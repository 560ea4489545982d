"""Periods: calendar months of the programme's zone."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.errors import WrongUse
from loyalty.rules.periods import (
    display_period,
    following,
    last_whole_month,
    months_between,
    parse_period,
    period_bounds,
    period_of,
    previous,
    shifted,
)

NEW_YORK = ZoneInfo("America/New_York")
ZONES = st.sampled_from(
    ["UTC", "America/New_York", "Asia/Kathmandu", "America/Havana", "America/Asuncion", "Pacific/Apia"]
).map(ZoneInfo)
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
PERIODS = st.dates(date(1900, 1, 1), date(2199, 12, 31)).map(lambda day: day.replace(day=1))


@given(PERIODS)
def test_period_is_read_as_written(period: date) -> None:
    """parse_period(display_period(p)) == p."""
    assert parse_period(display_period(period)) == period


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-1", "2026-13", "2026-00", "1899-12", "2200-01", "2026-01-01", "\uff12026-01"]
)
def test_anything_else_is_no_period(text: str) -> None:
    """What is no month is refused, with an example of one."""
    with pytest.raises(WrongUse) as error:
        parse_period(text)
    assert str(error.value) == (
        f'a period is a month written as YYYY-MM, such as 2026-01, in the years 1900 to 2199, not "{text}"'
    )


def test_months_in_order() -> None:
    """Months follow each other over the new year."""
    assert following(date(2026, 12, 1)) == date(2027, 1, 1)
    assert previous(date(2026, 1, 1)) == date(2025, 12, 1)
    assert shifted(date(2026, 1, 1), 25) == date(2028, 2, 1)
    assert shifted(date(2026, 1, 1), -13) == date(2024, 12, 1)
    assert months_between(date(2026, 11, 1), date(2027, 1, 1)) == [
        date(2026, 11, 1),
        date(2026, 12, 1),
        date(2027, 1, 1),
    ]
    assert months_between(date(2026, 2, 1), date(2026, 1, 1)) == []


def test_last_purchase_of_a_year_in_new_york() -> None:
    """A purchase at 2017-12-31T23:30-05:00 belongs to 2017-12, although in UTC it is January."""
    bought = datetime.fromisoformat("2017-12-31T23:30:00-05:00")

    assert period_of(bought, NEW_YORK) == date(2017, 12, 1)
    assert period_of(bought, UTC) == date(2018, 1, 1)


def test_bounds_lie_at_local_midnight() -> None:
    """A month with a clock change is an hour shorter."""
    start, end = period_bounds(date(2026, 3, 1), NEW_YORK)

    assert (start, end) == (datetime(2026, 3, 1, 5, tzinfo=UTC), datetime(2026, 4, 1, 4, tzinfo=UTC))
    assert end - start == timedelta(days=31, hours=-1)


@given(INSTANTS, ZONES)
def test_every_instant_belongs_to_the_one_period_around_it(instant: datetime, zone: ZoneInfo) -> None:
    """Periods leave no gap and don't overlap, also where midnight comes twice or never."""
    period = period_of(instant, zone)
    start, end = period_bounds(period, zone)

    assert start <= instant < end
    assert period_bounds(following(period), zone)[0] == end


@pytest.mark.parametrize(
    ("now", "period"),
    [
        ("2018-01-02T10:00:00-05:00", date(2017, 12, 1)),
        ("2018-01-01T00:00:00-05:00", date(2017, 12, 1)),
        ("2017-12-31T23:59:59-05:00", date(2017, 11, 1)),
    ],
)
def test_last_whole_month_has_ended(now: str, period: date) -> None:
    """The month that ends at this instant has ended; the one that ends in a second has not."""
    assert last_whole_month(datetime.fromisoformat(now), NEW_YORK) == period

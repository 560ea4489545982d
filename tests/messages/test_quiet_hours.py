"""When an SMS may go out, in the member's zone, also on the days on which clocks change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.messages.quiet_hours import SendingHours, zone_of

HOURS = SendingHours(time(8), time(21))
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("as_of", "zone", "waits_until"),
    [
        ("2018-01-15T08:00:00-05:00", "America/New_York", None),
        ("2018-01-15T20:59:59-05:00", "America/New_York", None),
        ("2018-01-15T07:59:59-05:00", "America/New_York", "2018-01-15T08:00:00-05:00"),
        ("2018-01-15T21:00:00-05:00", "America/New_York", "2018-01-16T08:00:00-05:00"),
        ("2018-01-15T00:00:00-05:00", "America/New_York", "2018-01-15T08:00:00-05:00"),
        # the night in which New York puts its clocks forward is an hour shorter, and longer when it puts them back
        ("2018-03-10T21:00:00-05:00", "America/New_York", "2018-03-11T08:00:00-04:00"),
        ("2018-11-03T21:00:00-04:00", "America/New_York", "2018-11-04T08:00:00-05:00"),
        ("2018-11-04T01:30:00-05:00", "America/New_York", "2018-11-04T08:00:00-05:00"),
        ("2018-01-15T14:00:00-05:00", "Asia/Tokyo", "2018-01-16T08:00:00+09:00"),
        ("2018-01-15T14:00:00-05:00", "Europe/Madrid", None),
        ("2018-01-15T15:00:00-05:00", "Europe/Madrid", "2018-01-16T08:00:00+01:00"),
        # Samoa had no 30 December 2011: the night ends on the 31st
        ("2011-12-29T22:00:00-10:00", "Pacific/Apia", "2011-12-31T08:00:00+14:00"),
    ],
)
def test_wait(as_of: str, zone: str, waits_until: str | None) -> None:
    """From the first hour until just before the last an SMS may go; else it waits for the next morning there."""
    expected = datetime.fromisoformat(waits_until) if waits_until else None

    assert HOURS.wait(datetime.fromisoformat(as_of), ZoneInfo(zone)) == expected


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  (made aware)
    st.sampled_from(sorted(available_timezones())),
)
def test_after_the_wait_it_may_go(as_of: datetime, name: str) -> None:
    """An SMS waits once: never a day and a half, and at the instant that it waits for it may go."""
    zone = ZoneInfo(name)
    until = HOURS.wait(as_of, zone)

    if until is not None:
        assert as_of < until < as_of + timedelta(hours=36)
        assert HOURS.wait(until, zone) is None


@pytest.mark.parametrize("name", [None, "", "Mars/Olympus", "..", "/etc/passwd", "America", "a\0b"])
def test_unknown_zone_is_the_programmes(name: str | None) -> None:
    """A member without a zone that anybody knows lives where the programme does."""
    assert zone_of(name, NEW_YORK) == NEW_YORK
    assert zone_of("Asia/Tokyo", NEW_YORK) == ZoneInfo("Asia/Tokyo")

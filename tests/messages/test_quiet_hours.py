"""When an SMS may go out, in the member's zone, also on the days on which clocks change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
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


OFTEN = settings(max_examples=max(500, settings().max_examples))  # it takes no database, and clocks are full of traps
MINUTE = timedelta(minutes=1)
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  (made aware)
ZONES = st.sampled_from(sorted(available_timezones()))
# where clocks change by an hour, by half of one, over midnight, in the southern winter, and over a whole day
CHANGES = st.sampled_from(
    [
        ("America/New_York", "2026-03-08T07:00Z"),
        ("America/New_York", "2026-11-01T06:00Z"),
        ("Europe/Madrid", "2026-03-29T01:00Z"),
        ("Europe/Madrid", "2026-10-25T01:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
        ("America/Havana", "2026-03-08T05:00Z"),
        ("America/Havana", "2026-11-01T05:00Z"),
        ("Asia/Beirut", "2026-03-28T22:00Z"),
        ("Africa/Casablanca", "2026-02-15T02:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00Z"),
    ]
)


@st.composite
def hours(draw: st.DrawFn) -> SendingHours:
    """Hours to the minute, some as short as one, and near those in which clocks change."""
    start = draw(st.integers(0, 1438) | st.integers(0, 240))
    stop = draw(st.integers(start + 1, 1439) | st.integers(start + 1, min(start + 90, 1439)))
    return SendingHours(time(start // 60, start % 60), time(stop // 60, stop % 60))


def _in_hours(kept: SendingHours, at: datetime, zone: ZoneInfo) -> bool:
    return kept.start <= at.astimezone(zone).time() < kept.stop


@OFTEN
@given(INSTANTS, ZONES, hours())
def test_after_the_wait_it_may_go(as_of: datetime, name: str, kept: SendingHours) -> None:
    """Law: at the instant that a message waits for it may go; whoever need not wait does not."""
    zone = ZoneInfo(name)
    until = kept.wait(as_of, zone)

    assert _in_hours(kept, until or as_of, zone)
    assert (until is None) == _in_hours(kept, as_of, zone)
    assert until is None or kept.wait(until, zone) is None


@OFTEN
@given(CHANGES, st.integers(-26 * 60, 8 * 60), st.integers(0, 59), hours())
def test_nothing_waits_longer_than_it_must(
    change: tuple[str, str], minutes: int, seconds: int, kept: SendingHours
) -> None:
    """Law: there is no minute between now and the instant waited for in which it might have gone, either way of DST."""
    zone = ZoneInfo(change[0])
    as_of = datetime.fromisoformat(change[1]) + minutes * MINUTE + timedelta(seconds=seconds)
    first = as_of
    while not _in_hours(kept, first, zone):  # clocks change, and hours begin, on whole minutes
        first = first.replace(second=0) + MINUTE

    assert (kept.wait(as_of, zone) or as_of) == first


@pytest.mark.parametrize(
    ("kept", "as_of", "waits_until"),
    [
        # 02:30 never comes on the day on which clocks go forward: the hours begin where the gap ends
        (("02:30", "21:00"), "2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00"),
        # 01:30 comes twice when they go back, and the half hour before its second time is quiet again
        (("01:30", "21:00"), "2026-11-01T01:00:00-04:00", "2026-11-01T01:30:00-04:00"),
        (("01:30", "21:00"), "2026-11-01T01:10:00-05:00", "2026-11-01T01:30:00-05:00"),
        # hours that end at 01:30 begin again as clocks go back to 01:00
        (("00:30", "01:30"), "2026-11-01T01:40:00-04:00", "2026-11-01T01:00:00-05:00"),
        # hours that the gap swallows are those of the next day
        (("02:00", "03:00"), "2026-03-08T01:59:59-05:00", "2026-03-09T02:00:00-04:00"),
    ],
)
def test_hours_in_which_clocks_change(kept: tuple[str, str], as_of: str, waits_until: str) -> None:
    """Law: the hours are those that the member's clock shows, whichever way it was put."""
    own = SendingHours(*map(time.fromisoformat, kept))

    assert own.wait(datetime.fromisoformat(as_of), NEW_YORK) == datetime.fromisoformat(waits_until)


@pytest.mark.parametrize("name", [None, "", "Mars/Olympus", "..", "/etc/passwd", "America", "a\0b"])
def test_unknown_zone_is_the_programmes(name: str | None) -> None:
    """A member without a zone that anybody knows lives where the programme does."""
    assert zone_of(name, NEW_YORK) == NEW_YORK
    assert zone_of("Asia/Tokyo", NEW_YORK) == ZoneInfo("Asia/Tokyo")

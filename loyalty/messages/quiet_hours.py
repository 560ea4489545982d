"""When a message may reach a member: in the rules' hours of the day, where the member lives (semantics 12)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from math import ceil
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SendingHours:
    """The part of a day in which a message may go out: from `start` until just before `stop`, local times."""

    start: time
    stop: time

    def wait(self, as_of: datetime, zone: ZoneInfo) -> datetime | None:
        """The first instant (UTC) from `as_of` on that lies in the hours, in the zone; None if `as_of` does."""
        if self._open(as_of, zone):
            return None
        since = as_of.astimezone(UTC)
        while True:  # days without the hours are rare: where a zone left one out
            found = [each for each in self._openings(since, zone) if each >= since and self._open(each, zone)]
            if found:
                return min(found)
            since += _DAY

    def _open(self, at: datetime, zone: ZoneInfo) -> bool:
        return self.start <= at.astimezone(zone).time() < self.stop

    def _openings(self, since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Where the hours may begin in the day from `since`: at their start, or where the clocks change into them."""
        for ahead in range(3):  # a short day may lie whole between two instants that are a day apart
            day = since.astimezone(zone).date() + ahead * _DAY
            for fold in (0, 1):  # a time that comes twice, when clocks go back
                opening = datetime.combine(day, self.start, zone).replace(fold=fold).astimezone(UTC)
                if opening < since + _DAY:
                    yield opening
        if since.astimezone(zone).utcoffset() != (since + _DAY).astimezone(zone).utcoffset():
            yield _change(since, since + _DAY, zone)


@cache
def zone_of(name: str | None, programme: ZoneInfo) -> ZoneInfo:
    """The zone of that name; the programme's if a member has none, or one that nobody knows."""
    try:
        return ZoneInfo(name) if name else programme
    except (KeyError, OSError, ValueError):  # by the odd name: unknown, a folder, a path
        return programme


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant, a whole second, at which the clocks of a zone change between two others."""
    old, first, last = before.astimezone(zone).utcoffset(), int(before.timestamp()), ceil(after.timestamp())
    while last - first > 1:
        middle = (first + last) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == old:
            first = middle
        else:
            last = middle
    return datetime.fromtimestamp(last, UTC)

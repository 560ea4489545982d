"""When an SMS may reach a member: in the rules' hours of the day, where the member lives (semantics 12)."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class SendingHours:
    """The part of a day in which an SMS may go out: from `start` until just before `stop`, local times."""

    start: time
    stop: time

    def wait(self, as_of: datetime, zone: ZoneInfo) -> datetime | None:
        """The instant (UTC) to wait for, if these are not the hours at `as_of` in the zone; None if it may go."""
        local = as_of.astimezone(zone)
        if self.start <= local.time() < self.stop:
            return None
        day = local.date() if local.time() < self.start else local.date() + timedelta(days=1)
        return datetime.combine(day, self.start, zone).astimezone(UTC)


@cache
def zone_of(name: str | None, programme: ZoneInfo) -> ZoneInfo:
    """The zone of that name; the programme's if a member has none, or one that nobody knows."""
    try:
        return ZoneInfo(name) if name else programme
    except (KeyError, OSError, ValueError):  # by the odd name: unknown, a folder, a path
        return programme

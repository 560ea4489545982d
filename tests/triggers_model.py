"""The triggers read a second time, in plain Python: who is given what, by days. The oracle of tests/triggers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Grant = tuple[str, str, str, int]


@dataclass(frozen=True)
class Person:
    """A member who is never changed; `sales` are the instants of purchases."""

    customer_id: str
    enrolled_at: datetime
    birthday: date | None = None
    joined_on: date | None = None
    sales: tuple[datetime, ...] = ()


@dataclass
class Milestones:
    """What daily runs give. Points of 0 are off; visits count from `visits_since` on."""

    zone: ZoneInfo
    registration: int = 0
    birthday: int = 0
    anniversary: int = 0
    visit: int = 0
    visits_each: int = 10
    visits_since: date = date.min
    back: int = 7
    mark: date | None = None
    given: set[Grant] = field(default_factory=set)

    def run(self, people: Iterable[Person], now: datetime) -> None:
        """The run of a moment: the days since the last one it looked at, that one again, but not too far back."""
        today = now.astimezone(self.zone).date()
        first = today - timedelta(days=self.back)
        if self.mark is not None:
            first = max(first, min(self.mark, today))
        day = first
        while day <= today:
            self._day(people, day)
            day += timedelta(days=1)
        self._visits(people, now)
        self.mark = max(self.mark or today, today)

    def _day(self, people: Iterable[Person], day: date) -> None:
        begins = datetime.combine(day, time(), self.zone).astimezone(UTC)
        for one in people:
            joined = one.enrolled_at.astimezone(self.zone).date()
            if joined == day:
                self._give(one, "registration", "once", self.registration)
            if one.enrolled_at >= begins:
                continue
            if one.birthday is not None and one.birthday < day and celebrates(one.birthday, day):
                self._give(one, "birthday", str(day.year), self.birthday)
            since = one.joined_on or joined
            if since < day and celebrates(since, day):
                self._give(one, "anniversary", str(day.year), self.anniversary)

    def _visits(self, people: Iterable[Person], now: datetime) -> None:
        for one in people:
            days = {at.astimezone(self.zone).date() for at in one.sales if at <= now}
            counted = len({day for day in days if day >= self.visits_since})
            for milestone in range(self.visits_each, counted + 1, self.visits_each):
                since = f"{self.visits_since:%Y-%m} " if self.visits_since > date.min else ""
                self._give(one, "visits", f"{since}{milestone}", self.visit)

    def _give(self, one: Person, kind: str, occasion: str, points: int) -> None:
        if points:
            self.given.add((one.customer_id, kind, occasion, points))


def celebrates(first: date, day: date) -> bool:
    """Whether a day is the anniversary of another: who is of 29 February has the 28th in a common year."""
    if (first.month, first.day) == (2, 29) and (day + timedelta(days=1)).day == 1 and day.month == 2:
        return True
    return (first.month, first.day) == (day.month, day.day)

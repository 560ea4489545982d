"""The inbox in plain Python: tests/till_model.py with whatever comes by HTTP kept, applied once, and told again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from tests.model import Refused, Rules, Transaction
from tests.till_model import TillProgramme, Waits

GIVEN_UP_AFTER = timedelta(days=30)


@dataclass
class Event:
    """A sale or refund that came: what it said, when, what became of it, and the points of the first answer."""

    what: Transaction
    came_at: datetime
    state: Literal["waiting", "applied", "dead"] = "waiting"
    points: int = 0


class InboxProgramme(TillProgramme):
    """A programme whose tills send as they can: late, in any order, again."""

    def __init__(self, zone: str, rules: Rules | list[tuple[str, Rules]]) -> None:
        super().__init__(zone, rules)
        self._events: dict[tuple[str, str], Event] = {}

    def purchase(self, new: Transaction, now: datetime) -> int:
        """A sale that comes; the points of its first answer."""
        return self._arrive(new, now)

    refund = purchase

    def expire(self, as_of: datetime) -> None:
        """The daily job; with it here, every event that waits is tried again."""
        super().expire(as_of)
        for event in self._waiting():
            self._try(event, as_of)

    def _arrive(self, new: Transaction, now: datetime) -> int:
        key = (new.source, new.transaction_id)
        known = self._events.get(key)
        if known is None:
            known = Event(new, now)
            try:
                self._apply(known, now)
            except Waits:
                self._events[key] = known
                raise
            self._events[key] = known
            for event in self._waiting():
                if (event.what.source, event.what.original) == key:
                    self._try(event, now)
        if known.what != new:
            raise Refused("the same id with other content")
        if known.state == "waiting":
            raise Waits
        if known.state == "dead":
            raise Refused("dead")
        return known.points

    def _apply(self, event: Event, now: datetime) -> None:
        record = super().refund if event.what.kind == "refund" else super().purchase
        event.points = record(event.what, now)
        event.state = "applied"

    def _try(self, event: Event, now: datetime) -> None:
        try:
            self._apply(event, now)
        except Waits:
            if now - event.came_at >= GIVEN_UP_AFTER:
                event.state = "dead"
        except Refused:
            event.state = "dead"

    def _waiting(self) -> list[Event]:
        return [event for event in self._events.values() if event.state == "waiting"]

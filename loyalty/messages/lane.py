"""The outbox delivered through a provider, batch by batch: taken in hand and committed, sent, recorded.

Whoever is killed in between leaves messages in hand whose lease ends: nobody knows whether they went out, and none of
them goes again unless the provider, asked, does not have it, or a person says so.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from loyalty.db import deliveries
from loyalty.db.deliveries import LEASE, InDoubt, Leased
from loyalty.db.engine import transaction
from loyalty.errors import Unavailable
from loyalty.messages.channels.channel import Channel, Finder, Letter, telephone
from loyalty.messages.courier import LONGEST_PAUSE, Courier, recorded

BEGIN_WITHIN = 0.4 * LEASE.total_seconds()  # what is begun later might outlive its lease
LOOK_AFTER, GONE_AFTER = timedelta(minutes=2), timedelta(minutes=30)
"""When a provider is asked for a message that is unknown, and from when on it counts as gone if it isn't there."""

RECORD_PAUSES = (1, 2, 4, 8, 16)  # seconds, for a database that goes away when messages are out


@dataclass(frozen=True, slots=True)
class Ready:
    """A letter, and how often it was tried before."""

    letter: Letter
    tries: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What a claim found: how many messages, which of them are ready to go, and the last one's number."""

    found: int
    last: int
    ready: Sequence[Ready]


Claim = Callable[[Connection, int, int], Taken]
"""Claim queued messages after a number, at most so many, and record what is not to be sent now."""


class Lane:
    """A channel, and the deliveries that go through it, in one run."""

    def __init__(self, channel: Channel, *, at_once: int, per_second: float | None, as_of: datetime) -> None:
        """`as_of` is the programme's instant at which this run began."""
        self._channel, self._courier = channel, Courier(channel, at_once)
        self._per_second = per_second
        self._worker = uuid.uuid4().hex
        self._as_of, self._began = as_of, time.monotonic()

    def stop(self) -> None:
        """Begin no other message; what is under way is still recorded."""
        self._courier.stop()

    def run(self, claim: Claim, batch: int) -> dict[str, int]:
        """Deliver all that is due; how many messages became what: sent, failed, later, unknown.

        Raises ConfigurationError if the provider refuses us; all that was not sent is then queued again.
        """
        counts = dict.fromkeys(("sent", "failed", "later", "unknown"), 0)
        try:
            counts["unknown"] += self._clear_up()
            after = 0
            while not self._courier.stopped and (share := self._share(batch)):
                taken = self._take(claim, after, share)
                self._give_back(share - len(taken.ready))
                for state in self._carry(taken.ready):
                    counts[state] += 1
                if taken.found < share:
                    break
                after = taken.last
        finally:
            self._courier.close()
        if self._courier.error is not None:
            raise self._courier.error
        return counts

    def _now(self) -> datetime:
        """The programme's time, which runs on from the instant of the run."""
        return self._as_of + timedelta(seconds=time.monotonic() - self._began)

    def _share(self, batch: int) -> int:
        """How many messages may go now, after a wait if there must be one; 0 if that would be long."""
        while not self._courier.stopped:
            with transaction() as connection:
                share, wait = deliveries.take_share(connection, self._channel.provider, batch, self._per_second)
            if share or wait > LONGEST_PAUSE:
                return share
            time.sleep(min(wait, 1.0))
        return 0

    def _give_back(self, unused: int) -> None:
        if unused and self._per_second:
            with transaction() as connection:
                deliveries.take_share(connection, self._channel.provider, -unused, self._per_second)

    def _take(self, claim: Claim, after: int, share: int) -> Taken:
        finds = isinstance(self._channel, Finder)
        with transaction() as connection:
            taken = claim(connection, after, share)
            leased = [Leased(each.letter.message_no, each.letter.digest if finds else None) for each in taken.ready]
            deliveries.lease(connection, self._channel.provider, self._worker, leased)
        return taken

    def _carry(self, ready: Sequence[Ready]) -> list[str]:
        """Send a batch, and record outcomes as they come; what became of each. Stopped midway, it still records."""
        tries = {each.letter.message_no: each.tries for each in ready}
        states: list[str] = []
        self._courier.begin([each.letter for each in ready], time.monotonic() + BEGIN_WITHIN)
        while done := self._courier.done():
            at = self._now()
            outcomes = [recorded(letter.message_no, sent, tries[letter.message_no], at) for letter, sent in done]
            self._record(outcomes, at)
            states += ["later" if each.state == "queued" else each.state for each in outcomes]
        return states

    def _record(self, outcomes: Sequence[deliveries.Recorded], at: datetime) -> None:
        """Record outcomes; while the database is away try again for a while, since they can't be found out twice."""
        for pause in RECORD_PAUSES:
            try:
                return self._recorded(outcomes, at)
            except Unavailable:
                self.stop()
                time.sleep(pause)
        return self._recorded(outcomes, at)

    def _recorded(self, outcomes: Sequence[deliveries.Recorded], at: datetime) -> None:
        with transaction() as connection:
            deliveries.record(connection, self._worker, outcomes, at)
            if self._courier.rest_asked:
                deliveries.rest(connection, self._channel.provider, self._courier.rest_asked)
        self._courier.rest_asked = 0.0

    def _clear_up(self) -> int:
        """See to what others left behind: mark it unknown, and ask the provider if that can be; how many are new."""
        with transaction() as connection:
            lapsed = deliveries.mark_unknown(connection, self._channel.provider)
        if isinstance(self._channel, Finder):
            with transaction() as connection:
                pages = list(deliveries.in_doubt(connection, self._channel.provider, LOOK_AFTER))
            for page in pages:
                self._look_up(self._channel, page)
        return lapsed

    def _look_up(self, finder: Finder, page: Sequence[InDoubt]) -> None:
        """Ask the provider for each message that may be there, and end the doubt where the answer is plain."""
        found = {each.message_no: _found(finder, each) for each in page}
        with transaction() as connection:
            ids = [provider_id for each in found.values() for provider_id in each or ()]
            known = deliveries.known_ids(connection, finder.provider, ids)
            for each in page:
                candidates = found[each.message_no]
                if candidates is None:
                    continue
                provider_id = next((one for one in candidates if one not in known), None)
                if provider_id is not None:
                    known.add(provider_id)
                    deliveries.settle(connection, [each.message_no], "sent", self._now(), provider_id=provider_id)
                elif _is_gone(each):
                    said = f"{finder.provider} was asked, and does not have it"
                    deliveries.settle(connection, [each.message_no], "queued", self._as_of, reason=said)


def _found(finder: Finder, each: InDoubt) -> list[str] | None:
    address = telephone(each.phone or "")
    return finder.find(address, each.digest, each.attempted_at) if address and each.digest else None


def _is_gone(each: InDoubt) -> bool:
    return datetime.now(each.attempted_at.tzinfo) - each.attempted_at > GONE_AFTER

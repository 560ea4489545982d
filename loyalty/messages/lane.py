"""The outbox delivered through a provider: messages taken in hand and committed, sent, recorded.

Whoever is killed in between leaves messages in hand whose lease ends: nobody knows whether they went out, and none of
them goes again unless the provider, asked, does not have it, or a person says so.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from loyalty.db import deliveries
from loyalty.db.deliveries import LEASE, InDoubt, Leased
from loyalty.db.engine import transaction
from loyalty.errors import Unavailable
from loyalty.messages.channels.channel import Channel, Finder, Sent, telephone
from loyalty.messages.courier import LONGEST_PAUSE, Courier, Ready, told_of

BEGIN_WITHIN = 0.4 * LEASE.total_seconds()  # what is begun later might outlive its lease
LOOK_AFTER, GONE_AFTER = timedelta(minutes=2), timedelta(minutes=30)
"""When a provider is asked for a message that is unknown, and from when on it counts as gone if it isn't there."""

AHEAD = 4  # messages taken in hand at once, for each that is sent at the same time
RECORD_PAUSES = (1, 2, 4, 8, 16)  # seconds, for a database that goes away when messages are out


@dataclass(frozen=True, slots=True)
class Taken:
    """What a claim found: how many messages, which of them are ready to go, and the last one's number."""

    found: int
    last: int
    ready: Sequence[Ready]


Claim = Callable[[Connection, int, int], Taken]
"""Claim queued messages after a number, at most so many, and record what is not to be sent now."""


class Lane:
    """A channel, and what goes through it in one delivery.

    Few messages are in hand at any time: as many are unknown if this process is killed.
    """

    def __init__(self, channel: Channel, *, at_once: int, per_second: float | None, as_of: datetime) -> None:
        """`as_of` is the programme's instant at which this delivery began."""
        self._channel, self._courier, self._at_once = channel, Courier(channel, at_once), at_once
        self._per_second = per_second
        self._worker = uuid.uuid4().hex
        self._as_of, self._began = as_of, time.monotonic()
        self._counts = Counter[str]()

    def stop(self) -> None:
        """Begin no other message; what is under way is still recorded."""
        self._courier.stop()

    def run(self, claim: Claim, most: int) -> Counter[str]:
        """Deliver all that is due, claiming at most so many at once; how many became what, in the outbox's states.

        Raises ConfigurationError if the provider refuses us; all that was not sent is then queued again.
        """
        try:
            self._clear_up()
            self._deliver(claim, min(most, AHEAD * self._at_once))
        except BaseException:
            self._courier.stop()
            self._record_rest()
            raise
        finally:
            self._courier.close()
        if self._courier.error is not None:
            raise self._courier.error
        return self._counts

    def _deliver(self, claim: Claim, most: int) -> None:
        """Keep the threads at work, and record outcomes as they come. Stopped midway, it still records."""
        after, more = 0, True
        while True:
            if more and not self._courier.stopped and self._courier.in_hand <= self._at_once:
                share = self._share(most)
                taken = self._take(claim, after, share) if share else None
                if taken is not None:
                    after, more = taken.last, taken.found == share
                elif not self._courier.in_hand:  # the channel rests for longer than we wait
                    return
            done = self._courier.done()
            if done:
                self._record(done)
            elif not more or self._courier.stopped:
                return

    def now(self) -> datetime:
        """The programme's time, which runs on from the instant of the run."""
        return self._as_of + timedelta(seconds=time.monotonic() - self._began)

    def _share(self, most: int) -> int:
        """How many messages may go now; 0 if it is none. Waits for it, though not long, when nothing else is to do."""
        while not self._courier.stopped:
            with transaction() as connection:
                share, pause = deliveries.take_share(connection, self._channel.provider, most, self._per_second)
            if share or self._courier.in_hand or pause > LONGEST_PAUSE:
                return share
            time.sleep(min(pause, 1.0))
        return 0

    def _take(self, claim: Claim, after: int, share: int) -> Taken:
        """Take messages in hand, and begin them once that is committed."""
        finds, provider = isinstance(self._channel, Finder), self._channel.provider
        with transaction() as connection:
            taken = claim(connection, after, share)
            leased = [Leased(each.letter.message_no, each.letter.digest if finds else None) for each in taken.ready]
            deliveries.lease(connection, provider, self._worker, leased)
            if self._per_second and len(leased) < share:
                deliveries.take_share(connection, provider, len(leased) - share, self._per_second)
        self._courier.begin(taken.ready, time.monotonic() + BEGIN_WITHIN)
        return taken

    def _record(self, done: Sequence[tuple[Ready, Sent | None]]) -> None:
        """Record outcomes; while the database is away try again for a while, since they can't be found out twice."""
        at = self.now()
        outcomes = [told_of(ready, sent, at) for ready, sent in done]
        self._counts.update(each.state for each in outcomes)
        for pause in RECORD_PAUSES:
            try:
                return self._recorded(outcomes, at)
            except Unavailable:
                self.stop()
                time.sleep(pause)
        return self._recorded(outcomes, at)

    def _record_rest(self) -> None:
        while done := self._courier.done():
            self._record(done)

    def _recorded(self, outcomes: Sequence[deliveries.Recorded], at: datetime) -> None:
        with transaction() as connection:
            deliveries.record(connection, self._worker, outcomes, at)
            if self._courier.rest_asked:
                deliveries.rest(connection, self._channel.provider, self._courier.rest_asked)
        self._courier.rest_asked = 0.0

    def _clear_up(self) -> None:
        """Ask the provider, where that can be, for messages of which nobody knows whether they went out."""
        if isinstance(self._channel, Finder):
            with transaction() as connection:
                pages = list(deliveries.in_doubt(connection, self._channel.provider, LOOK_AFTER))
            for page in pages:
                self._look_up(self._channel, page)

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
                    deliveries.settle(connection, [each.message_no], "sent", self.now(), provider_id=provider_id)
                elif _is_gone(each):
                    said = f"{finder.provider} was asked, and does not have it"
                    deliveries.settle(connection, [each.message_no], "queued", self._as_of, reason=said)


def _found(finder: Finder, each: InDoubt) -> list[str] | None:
    address = telephone(each.phone or "")
    return finder.find(address, each.digest, each.attempted_at) if address and each.digest else None


def _is_gone(each: InDoubt) -> bool:
    return datetime.now(each.attempted_at.tzinfo) - each.attempted_at > GONE_AFTER

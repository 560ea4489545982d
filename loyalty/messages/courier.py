"""A batch of letters through a channel: several at the same time, each tried once, and slower if the provider asks."""

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.db.deliveries import Recorded
from loyalty.errors import ConfigurationError
from loyalty.messages.channels.channel import Accepted, Channel, Declined, Letter, NotSent, Sent, Unclear, told

TROUBLES = 5  # in a row, and a channel is left alone until the next delivery
LONGEST_PAUSE = 60.0  # seconds for which a delivery waits for a channel; for longer ones the next delivery will do
MOST_TRIES = 10
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Ready:
    """A letter, and how often it was tried before."""

    letter: Letter
    tries: int


class Courier:
    """A channel with threads that send. Once stopped, it begins no other message; those under way come to their end."""

    def __init__(self, channel: Channel, at_once: int) -> None:
        """Send up to `at_once` messages at the same time."""
        self.channel = channel
        self.error: Exception | None = None
        self.rest_asked = 0.0
        self._threads = ThreadPoolExecutor(at_once, f"loyalty-{channel.provider}")
        self._pending: dict[Future[Sent | None], Ready] = {}
        self._stopped = threading.Event()
        self._counting = threading.Lock()
        self._troubles, self._resumes = 0, 0.0

    @property
    def stopped(self) -> bool:
        """Whether it begins no message any more."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Begin no other message."""
        self._stopped.set()

    def close(self) -> None:
        """End the threads, when what is under way is done."""
        self.stop()
        self._threads.shutdown()

    @property
    def in_hand(self) -> int:
        """How many letters have no outcome yet, or one that is not told yet."""
        return len(self._pending)

    def begin(self, letters: Sequence[Ready], until: float) -> None:
        """Have letters sent; none is begun after `until`, by the monotonic clock."""
        self._pending |= {self._threads.submit(self._try, each.letter, until): each for each in letters}

    def done(self) -> list[tuple[Ready, Sent | None]]:
        """Wait for the next outcomes and give them, None for a letter that was never begun; nothing if all are told."""
        if not self._pending:
            return []
        done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
        return [(self._pending.pop(each), each.result()) for each in done]

    def _try(self, letter: Letter, until: float) -> Sent | None:
        if not self._may_go(until):
            return None
        try:
            sent = self.channel.send(letter)
        except ConfigurationError as error:  # it holds for all messages, and this one did not go
            self._broken(error)
            return None
        except Exception as error:  # noqa: BLE001 - raised when the batch is recorded: the message may have gone
            self._broken(error)
            return Unclear(told(self.channel.provider, "something unforeseen", type(error).__name__))
        self._heed(sent)
        return sent

    def _may_go(self, until: float) -> bool:
        while not self.stopped:
            now = time.monotonic()
            pause = self._resumes - now
            if now >= until:
                return False
            if pause <= 0:
                return True
            if pause > LONGEST_PAUSE or now + pause >= until:
                self.stop()
            else:
                self._stopped.wait(pause)
        return False

    def _heed(self, sent: Sent) -> None:
        """Slow down or stop, if what was said means the whole channel."""
        with self._counting:
            if isinstance(sent, Unclear) or (isinstance(sent, NotSent) and sent.whole_channel):
                self._troubles += 1
            else:
                self._troubles = 0
            if isinstance(sent, NotSent) and sent.whole_channel and sent.wait:
                self._resumes = max(self._resumes, time.monotonic() + sent.wait)
                self.rest_asked = max(self.rest_asked, sent.wait)
            if self._troubles >= TROUBLES:
                self.stop()

    def _broken(self, error: Exception) -> None:
        with self._counting:
            self.error = self.error or error
        self.stop()


def told_of(ready: Ready, sent: Sent | None, at: datetime) -> Recorded:
    """What the outbox keeps of an outcome."""
    return recorded(ready.letter.message_no, sent, ready.tries, at)


def recorded(message_no: int, sent: Sent | None, tries: int, at: datetime) -> Recorded:
    """What the outbox keeps of an outcome at an instant; `tries` before it."""
    match sent:
        case None:
            return Recorded(message_no, "queued", tried=False)
        case Accepted(provider_id):
            return Recorded(message_no, "sent", provider_id=provider_id)
        case Declined(reason, fault):
            return Recorded(message_no, "failed", reason, fault=fault)
        case Unclear(reason):
            return Recorded(message_no, "unknown", reason)
        case NotSent(reason, _, whole_channel) if tries + 1 >= MOST_TRIES and not whole_channel:
            return Recorded(message_no, "failed", f"given up after {tries + 1} tries: {reason}")
        case NotSent(reason, asked):
            return Recorded(message_no, "queued", reason, not_before=at + wait_before_next(tries, asked))


def wait_before_next(tries: int, asked: float | None = None) -> timedelta:
    """How long until the next try: what the provider asked for, else twice as long each time; never all alike."""
    if asked is not None:
        return timedelta(seconds=asked * random.uniform(1, 1.25))
    longest = min(FIRST_WAIT * 2 ** min(tries, 20), LONGEST_WAIT)
    return timedelta(seconds=random.uniform(0.5, 1) * longest.total_seconds())

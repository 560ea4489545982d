"""What every channel is: it takes one message, tries once, and says what became of it.

A channel never tries again by itself. Whether a message may go again is decided by what it said: only `NotSent` may,
and `Unclear` never without a look at the provider or a person's word.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from loyalty.messages.mail import Email, message

Fault = Literal["opted out", "bad address"]
"""Why a provider will never take a message, where that says something of the member."""

_NUMBER = re.compile(r"\+?[0-9]{5,20}")
_NUMBER_FILLERS = re.compile(r"[\s().\-/]+")
_LONGEST_REASON = 200
_PERSONAL = re.compile(r"[^\s<>\"']*@[^\s<>\"']*|\+?\d(?:[\s()-]?\d){6,}")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has it. `provider_id` is what it calls it, None where it has no name for it."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """It will never be taken."""

    reason: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """It surely did not go out, and may be tried again: if the provider says so, not before `wait` seconds are over.

    `whole_channel`: what the provider said holds for every message, not for this one.
    """

    reason: str
    wait: float | None = None
    whole_channel: bool = False


@dataclass(frozen=True, slots=True)
class Unclear:
    """It may have gone out: the reply was lost, or said nothing."""

    reason: str


Sent = Accepted | Declined | NotSent | Unclear


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to go: to an address fit for its channel, in the words of its template.

    `content` is an e-mail's, or the text of an SMS. `headers` are an e-mail's own, beside those that any has. `raw` is
    the whole, where it is made already. Staff's messages have numbers of their own.
    """

    message_no: int
    kind: str
    to: str
    content: Email | str
    programme: str
    language: str
    sent_at: datetime
    sender: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    to_staff: bool = False

    @property
    def digest(self) -> bytes:
        """Hashes of the address and of an SMS's text, one after the other: what `Finder.find` goes by."""
        return address_digest(self.to) + hashlib.sha256(str(self.content).encode()).digest()

    def as_file(self) -> bytes:
        """The message as the file channel keeps it and SMTP carries it; an e-mail is an RFC 5322 text."""
        if self.raw is not None:
            return self.raw
        if isinstance(self.content, str):
            return f"To: {self.to}\n\n{self.content}\n".encode()
        return message(
            self.content,
            to=self.to,
            programme=self.programme,
            language=self.language,
            message_no=self.message_no,
            sent_at=self.sent_at,
            sender=self.sender,
            headers=self.headers,
        )


class Channel(Protocol):
    """A way out. Used by several threads at once."""

    @property
    def provider(self) -> str:
        """Its name, as the settings and the outbox have it."""

    @property
    def pace(self) -> float | None:
        """How many messages a second the provider takes; None where that is for the settings to say."""

    def send(self, letter: Letter) -> Sent:
        """Try once. Raises ConfigurationError where the provider refuses us and not the message; then nothing went."""

    def close(self) -> None:
        """Give connections back."""


@runtime_checkable
class Finder(Channel, Protocol):
    """A channel whose provider can be asked what became of a message whose reply was lost."""

    def find(self, to: str, digest: bytes, attempted_at: datetime) -> list[str] | None:
        """What the provider calls the messages that may be this one, by its Letter's digest; None: there is no telling.

        `to` is the address as it is now, `attempted_at` the instant (aware) at which the try began.
        """


def telephone(given: str) -> str | None:
    """A telephone number in digits, with the plus that it has; None if it can't be one."""
    number = _NUMBER_FILLERS.sub("", given)
    return number if _NUMBER.fullmatch(number) else None


def address_digest(address: str) -> bytes:
    """The first half of a Letter's digest."""
    return hashlib.sha256(address.encode()).digest()


def told(provider: str, *said: object) -> str:
    """What a provider said, in a line to keep: short, and without the addresses that it may repeat."""
    words = " ".join(str(each) for each in said if each not in (None, ""))
    line = _PERSONAL.sub("…", " ".join(words.split()))
    return f"{provider}: {line}"[:_LONGEST_REASON]

"""What a platform is: how a request of it is proved, and how an event that it brought is applied.

A request is proved before anything in it is read. Its events are stored as they came, then applied; so `verify` only
finds out who sent it and what the events are called, and whatever it means is read by `apply`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from loyalty.db.inbox import Event
from loyalty.settings import Settings

LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came. `target` is path and query as they were sent, `unix_time` the machine's own clock.

    The names of `headers` are found in any case.
    """

    headers: Mapping[str, str]
    target: str
    body: bytes
    unix_time: float


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event of a request: the platform's own id of it, the same whenever it is sent again, and what is kept."""

    event_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform, by the name in the address of its webhook.

    `configured` says whether the settings have what proves its requests. `verify` gives a request's events, or raises
    Unverified. `apply` does what an event says, in the transaction it is given, and gives an answer to be kept; it
    raises Waits for what can't be applied yet, BadInput or Refused for what never can.
    """

    name: str
    configured: Callable[[Settings], bool]
    verify: Callable[[Request, Settings], tuple[Incoming, ...]]
    apply: Callable[[Connection, Event, datetime], str]

"""HTTP to providers: connections that stay open, one try, and whether a request without a reply may have arrived."""

import logging
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from loyalty.messages.channels.channel import NotSent, Unclear, told

CONNECT_SECONDS = 10.0
LONGEST_WAIT = 24 * 3600.0
_IDLE_SECONDS = 5.0  # less than servers keep an idle connection, so that none is cut under a request

# It logs each address that it asks, and a member's number may stand in one.
logging.getLogger("httpx").setLevel(logging.WARNING)


def client(timeout: float, at_once: int) -> httpx.Client:
    """A client for so many threads. It follows no redirect and never tries again (its transport's default is none)."""
    return httpx.Client(
        timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS), pool=None),
        limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once, keepalive_expiry=_IDLE_SECONDS),
        follow_redirects=False,
    )


def lost(provider: str, error: httpx.HTTPError) -> NotSent | Unclear:
    """What a request without a reply means: before the connection stood nothing went, afterwards it may have."""
    said = told(provider, "no reply", type(error).__name__)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError | httpx.UnsupportedProtocol):
        return NotSent(said, whole_channel=True)
    return Unclear(said)


def busy_or_broken(provider: str, status: int, headers: Any, said: str = "") -> NotSent | Unclear | None:
    """What a status means that says nothing of the message; None for one that does.

    429 and 503 are refusals before any work. Any other 5xx may have come after it: without a key to send again by,
    that is for a look-up or a person.
    """
    line = told(provider, f"HTTP {status}", said)
    if status in {429, 503}:
        return NotSent(line, wait=wait_of(headers), whole_channel=True)
    return Unclear(line) if status >= 500 else None


def wait_of(headers: Any) -> float | None:
    """Seconds to wait by Retry-After (seconds or a date), else by X-RateLimit-Reset (epoch seconds), else None."""
    given, reset = headers.get("retry-after"), headers.get("x-ratelimit-reset")
    try:
        if given is not None and given.strip().isdecimal():
            seconds = float(given)
        elif given is not None:
            seconds = (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds()
        elif reset is not None:
            seconds = float(reset) - time.time()
        else:
            return None
    except (TypeError, ValueError):  # nonsense says nothing
        return None
    return min(max(seconds, 1.0), LONGEST_WAIT)

"""The programme clock: the system's time, or one that begins at LOYALTY_CLOCK and runs on."""

import time
from datetime import UTC, datetime, timedelta

from loyalty.settings import settings

_STARTED = time.monotonic()


def now() -> datetime:
    """The programme's present instant, aware, in UTC. Raises ConfigurationError if LOYALTY_CLOCK is none."""
    start = settings().clock
    if start is None:
        return datetime.now(UTC)
    return start.astimezone(UTC) + timedelta(seconds=time.monotonic() - _STARTED)

"""Real processes at work, to be killed or to meet each other, each forked from one that has loaded everything."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from datetime import datetime
from multiprocessing.context import ForkServerProcess
from typing import Any

from loyalty.errors import LoyaltyError

_START = multiprocessing.get_context("forkserver")
_START.set_forkserver_preload(
    ["loyalty.monthly", "loyalty.db.imports", "loyalty.reports.health", "loyalty.reports.roi"]
)
UNCHANGED = 3  # exit code of a close that found the month closed


def start(what: Callable[..., None], now: datetime, *args: Any) -> ForkServerProcess:
    """A process that does this at this moment of the programme clock, in the database of this environment."""
    names = ("LOYALTY_DATABASE_URL", "LOYALTY_HOME", "LOYALTY_TIME_ZONE")
    surroundings = {name: os.environ[name] for name in names if name in os.environ}
    process = _START.Process(target=_run, args=(surroundings | {"LOYALTY_CLOCK": now.isoformat()}, what, args))
    process.start()
    return process


def _run(surroundings: dict[str, str], what: Callable[..., None], args: tuple[Any, ...]) -> None:
    for name in [name for name in os.environ if name.startswith("LOYALTY_")]:
        del os.environ[name]
    os.environ |= surroundings
    try:
        what(*args)
    except LoyaltyError as error:
        sys.exit(f"{type(error).__name__}: {error}")


def close_month(period: str, range_members: int, batches: int = 2) -> None:
    """Close a month in ranges of so many members."""
    from loyalty import monthly  # noqa: PLC0415 - loaded in the server of the processes, not in pytest's own
    from loyalty.db import closing  # noqa: PLC0415
    from loyalty.rules.periods import parse_period  # noqa: PLC0415

    closing.RANGE = range_members
    if monthly.close_month(parse_period(period), monthly.Terms(batches=batches)) == "unchanged":
        sys.exit(UNCHANGED)


def import_file(path: str) -> None:
    """Import a file of transactions."""
    from loyalty.db.imports import import_transactions  # noqa: PLC0415

    import_transactions(path)


def approve(review_no: int, by: str) -> None:
    """Approve a review."""
    from loyalty.db import reviews  # noqa: PLC0415

    reviews.approve([review_no], by=by)


def simulate(period: str) -> None:
    """Simulate a month."""
    from loyalty.db import simulation  # noqa: PLC0415
    from loyalty.rules.periods import parse_period  # noqa: PLC0415

    simulation.simulate(parse_period(period))

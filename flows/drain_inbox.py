"""Events from outside that could not be applied as they came, tried again when they are due; holds that are over."""

from typing import Annotated

from pydantic import Field

from flows._flow import programme_flow
from flows.wording import drained
from loyalty import clock
from loyalty.api.appliers import drain
from loyalty.db.redemptions import release_lapsed


def _run_name() -> str:
    return f"inbox {clock.now():%Y-%m-%d %H:%M}Z"


@programme_flow(run_name=_run_name)
def drain_inbox(limit: Annotated[int, Field(ge=1, le=100_000)] = 10_000) -> str:
    """Apply the events of the inbox that are due: a purchase whose rate has come, a refund whose sale has come.

    What still can't be applied waits longer each time; what never can becomes a dead letter, with its reason. Before
    that, what checkouts held past its time-out is given back, points and vouchers.

    Args:
        limit: How many events are taken at most; each is applied in a transaction of its own.
    """
    now = clock.now()
    release_lapsed(now)
    return drained(drain(now, limit))

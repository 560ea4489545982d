"""Step 10: gifts to send."""

from loyalty.db.closing import Batch, Moves
from loyalty.monthly import perform
from tasks._step import step


@step
def verify_physical_gift_dispatch(moves: Moves, batch: Batch) -> int:
    """Give the warehouse a task for each gift that a reward brings; returns the tasks."""
    return perform("verify_physical_gift_dispatch", moves, batch)

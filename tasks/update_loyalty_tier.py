"""Step 7: members moved."""

from loyalty.db.closing import Batch, Moves
from loyalty.monthly import perform
from tasks._step import step


@step
def update_loyalty_tier(moves: Moves, batch: Batch) -> int:
    """Move the members whose move needs no review, with their history; returns the moves."""
    return perform("update_loyalty_tier", moves, batch)

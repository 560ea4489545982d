"""Step 9: upgrades that a manager decides."""

from loyalty.db.closing import Batch, Close
from loyalty.monthly import perform
from tasks._step import step


@step
def assign_loyalty_manager_review(close: Close, batch: Batch) -> int:
    """Ask for a review of each held upgrade, once; returns the reviews."""
    return perform("assign_loyalty_manager_review", close, batch)

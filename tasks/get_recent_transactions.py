"""Step 2: what happened in the period."""

from loyalty.db.closing import Batch, Close
from loyalty.monthly import perform
from tasks._step import step


@step
def get_recent_transactions(close: Close, batch: Batch) -> int:
    """Take each transaction booked to the period once, and each refund of earlier sales; returns the transactions."""
    return perform("get_recent_transactions", close, batch)

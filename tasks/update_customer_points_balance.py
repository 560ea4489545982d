"""Step 6: points posted."""

from loyalty.db.closing import Batch, Close
from loyalty.monthly import perform
from tasks._step import step


@step
def update_customer_points_balance(close: Close, batch: Batch) -> int:
    """Write entries, lots, balances and each member's statement of the period; returns the statements."""
    return perform("update_customer_points_balance", close, batch)

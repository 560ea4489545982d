"""Step 3: what members spent."""

from loyalty.db.closing import Batch, Close
from loyalty.monthly import perform
from tasks._step import step


@step
def calculate_total_monthly_spend(close: Close, batch: Batch) -> int:
    """Sum the eligible amounts of each member, in minor units; returns the members."""
    return perform("calculate_total_monthly_spend", close, batch)

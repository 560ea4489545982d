"""Step 1: what is known of a member as the period opens."""

from loyalty.db.closing import Batch, Close
from loyalty.monthly import perform
from tasks._step import step


@step
def retrieve_customer_profile(close: Close, batch: Batch) -> int:
    """Read tier, balance and exact sums as the period opens into the run's working rows; returns the members."""
    return perform("retrieve_customer_profile", close, batch)

"""Step 4: what members earned."""

from loyalty.db.closing import Batch, Close
from loyalty.monthly import perform
from tasks._step import step


@step
def calculate_loyalty_points_earned(close: Close, batch: Batch) -> int:
    """Rate each transaction by its day's rules and the tier then held, exactly; returns the postings due."""
    return perform("calculate_loyalty_points_earned", close, batch)

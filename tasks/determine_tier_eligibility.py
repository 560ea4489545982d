"""Step 5: where members stand on the ladder."""

from loyalty.db.closing import Batch, Close
from loyalty.monthly import perform
from tasks._step import step


@step
def determine_tier_eligibility(close: Close, batch: Batch) -> int:
    """Hold the qualifying points against the ladder: up, hold, warn or down; returns the members."""
    return perform("determine_tier_eligibility", close, batch)

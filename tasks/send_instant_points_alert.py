"""Step 12: SMS about points."""

from loyalty.db.closing import Batch, Close
from loyalty.monthly import perform
from tasks._step import step


@step
def send_instant_points_alert(close: Close, batch: Batch) -> int:
    """Put an SMS about the points credited into the outbox, if the close is to notify; returns the messages."""
    return perform("send_instant_points_alert", close, batch)

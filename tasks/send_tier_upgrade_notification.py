"""Step 11: e-mail about moves."""

from loyalty.db.closing import Batch, Moves
from loyalty.monthly import perform
from tasks._step import step


@step
def send_tier_upgrade_notification(moves: Moves, batch: Batch) -> int:
    """Put an e-mail about each move or warning into the outbox, if the close is to notify; returns the messages."""
    return perform("send_tier_upgrade_notification", moves, batch)

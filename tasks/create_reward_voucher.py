"""Step 8: rewards given."""

from loyalty.db.closing import Batch, Moves
from loyalty.monthly import perform
from tasks._step import step


@step
def create_reward_voucher(moves: Moves, batch: Batch) -> int:
    """Give each move up its reward: a voucher with a unique code, a gift; returns the rewards."""
    return perform("create_reward_voucher", moves, batch)

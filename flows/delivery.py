"""The outbox delivered within a run, by the channels that the environment or Prefect's blocks choose."""

from blocks._settings_block import take_settings
from blocks.registry import CHANNELS
from flows.wording import delivered
from loyalty import clock
from loyalty.messages.delivery import BATCH, deliver


def deliver_outbox(limit_per_batch: int = BATCH) -> str:
    """Deliver every message that is due; what was done, in a line. Raises what `deliver` raises."""
    take_settings(CHANNELS)
    return delivered(deliver(clock.now(), limit_per_batch=limit_per_batch))

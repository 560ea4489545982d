"""Step 14: vouchers past their last day."""

from loyalty.db.closing import Batch, Close
from loyalty.monthly import perform
from tasks._step import step


@step
def remove_expired_vouchers(close: Close, batch: Batch) -> int:
    """Take vouchers past their last day out of use and keep them in the archive; returns the vouchers."""
    return perform("remove_expired_vouchers", close, batch)

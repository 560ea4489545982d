"""Step 15: what the programme returns for its cost."""

from loyalty.db.closing import Batch, Close
from tasks._report import publish
from tasks._step import step


@step
def aggregate_program_roi(close: Close, batch: Batch) -> int:  # noqa: ARG001 - a report is of all members
    """Store the ROI report and publish it as an artifact; returns its revision."""
    return publish("roi", close.period)

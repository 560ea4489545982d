"""Step 13: the programme's health in the period."""

from loyalty.db.closing import Batch, Close
from tasks._report import publish
from tasks._step import step


@step
def generate_monthly_loyalty_health_report(close: Close, batch: Batch) -> int:  # noqa: ARG001 - a report is of all members
    """Store the health report and publish it as an artifact; returns its revision."""
    return publish("health", close.period)

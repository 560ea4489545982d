"""Past months closed in order, each as a run of the monthly flow."""

from typing import Annotated

from prefect.artifacts import update_progress_artifact
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from pydantic import Field

from flows._flow import ended, new_progress, programme_flow
from flows.monthly_loyalty import Period, monthly_loyalty
from flows.wording import backfilled
from loyalty.db.closing import Reviews
from loyalty.monthly import MOST_BATCHES, chosen_periods, unchanged
from loyalty.rules.periods import display_period


@programme_flow(run_name="{first} to {last}")
def backfill(
    first: Period,
    last: Period,
    *,
    reviews: Reviews = "hold",
    decided_by: str | None = None,
    notify: bool = False,
    batches: Annotated[int, Field(ge=1, le=MOST_BATCHES)] = 2,
) -> str:
    """Close past months one after the other, each by the rules of its day. Months that are closed stay as they are.

    Args:
        first: The first month, as YYYY-MM.
        last: The last month, as YYYY-MM.
        reviews: What happens to upgrades that need a manager: hold them until one decides, or approve them at once.
        decided_by: In whose name upgrades are approved: a handle, not an e-mail address. Needed to approve.
        notify: Whether members get e-mails and SMS about these past months.
        batches: Into how many parts the members are cut; parts are worked on at the same time.
    """
    periods, changed = chosen_periods(first, last), 0
    progress = new_progress(0, f"Backfill of {first} to {last}")
    # this run's own heartbeat tells that it lives; one per month would cost a second each
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        for number, period in enumerate(periods, start=1):
            message = ended(
                monthly_loyalty,
                period=display_period(period),
                batches=batches,
                notify=notify,
                reviews=reviews,
                decided_by=decided_by,
            )
            changed += message != unchanged(period)
            update_progress_artifact(progress, 100 * number / len(periods))
    return backfilled(first, last, changed, len(periods))

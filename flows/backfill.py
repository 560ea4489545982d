"""Past months closed in order, each as a run of the monthly flow; or closed ones computed anew, to be approved."""

from datetime import date
from typing import Annotated

from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from flows._flow import Progress, ended, programme_flow
from flows.manager_review import ask_managers
from flows.monthly_loyalty import Period, monthly_loyalty
from flows.wording import backfilled, recomputed, recomputed_month
from loyalty import clock
from loyalty.db import recompute as recomputing
from loyalty.db.closing import Reviews
from loyalty.db.engine import transaction
from loyalty.monthly import MOST_BATCHES, chosen_periods, unchanged
from loyalty.reports import recompute as pages
from loyalty.rules.periods import display_period


@programme_flow(run_name="{first} to {last}")
def backfill(
    first: Period,
    last: Period,
    *,
    reviews: Reviews = "hold",
    decided_by: str | None = None,
    notify: bool = False,
    recompute: bool = False,
    asked_by: Annotated[str, Field(pattern=r"^[^@]{1,80}$")] = recomputing.OPERATOR,
    batches: Annotated[int, Field(ge=1, le=MOST_BATCHES)] = 2,
) -> str:
    """Close past months one after the other, each by the rules of its day. Months that are closed stay as they are.

    It can be cancelled and started again anywhere. With recompute nothing is closed: months that are closed are
    computed as if every transaction, late or corrected, had been known in its own month. The difference is published
    and, once a second person approves, posted in the earliest open month; no statement and no tier changes.

    Args:
        first: The first month, as YYYY-MM.
        last: The last month, as YYYY-MM.
        reviews: What happens to upgrades that need a manager: hold them until one decides, or approve them at once.
        decided_by: In whose name upgrades are approved: a handle, not an e-mail address. Needed to approve.
        notify: Whether members get e-mails and SMS about these past months.
        recompute: Whether to show what closed months would have come to, and ask for the difference to be posted.
        asked_by: Who asks for a recompute: a handle, not an e-mail address. Whoever asks can't approve.
        batches: Into how many parts the members are cut; parts are worked on at the same time.
    """
    periods, changed = chosen_periods(first, last), 0
    if recompute:
        return _recompute(periods, asked_by)
    progress = Progress(f"Backfill of {first} to {last}")
    progress.show(0)
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
        progress.show(number / len(periods))
    return backfilled(first, last, changed, len(periods))


def _recompute(periods: list[date], asked_by: str) -> str:
    """Compute closed months anew, publish the difference, and ask managers for it to be posted."""
    first, last = periods[0], periods[-1]
    progress = Progress(f"Recompute of {display_period(first)} to {display_period(last)}")
    progress.show(0)
    found = recomputing.recompute(
        first,
        last,
        by=asked_by,
        now=clock.now(),
        most=pages.MOST_MEMBERS,
        told=lambda _month, number, of: progress.show(number / of),
    )
    for month in found.months:
        get_run_logger().info("%s", recomputed_month(month))
    with transaction() as connection:
        page = pages.markdown(connection, found)
    key = pages.artifact_key(first, last)
    create_markdown_artifact(page, key=key, description=recomputed(found))
    progress.show(1)
    if found.approval_no is not None:
        ask_managers()
    return f"{recomputed(found)}; artifact {key}"

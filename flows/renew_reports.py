"""A month's reports made again, once upgrades that it held are decided: new versions of the same artifacts."""

from flows._flow import programme_flow
from flows.manager_review import ask_managers
from flows.monthly_loyalty import Period
from loyalty.monthly import REPORTS, chosen_period
from tasks._report import publish


@programme_flow(run_name="{period} reports again")
def renew_reports(period: Period) -> str:
    """Make both reports of a month again from what is true now, and the list of its upgrades that still wait.

    Args:
        period: The month, as YYYY-MM.
    """
    chosen = chosen_period(period)
    revisions = [f"{kind} revision {publish(kind, chosen)}" for kind in REPORTS.values()]
    ask_managers(chosen)
    return f"{period}: {', '.join(revisions)}"

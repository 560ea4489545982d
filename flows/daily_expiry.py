"""What time does to points, vouchers and reviews, recorded once a day; reads need no such help."""

from datetime import datetime

from prefect.runtime import flow_run

from flows._flow import programme_flow
from flows.manager_review import ask_managers
from flows.wording import expired
from loyalty import clock
from loyalty.db.expiry import expire


def _run_name() -> str:
    return f"expiry {flow_run.parameters['as_of'] or clock.now():%Y-%m-%d}"


@programme_flow(run_name=_run_name)
def daily_expiry(as_of: datetime | None = None) -> str:
    """Record points and vouchers whose time is over, warn of those whose time comes, end reviews past their deadline.

    Right however late it runs: what expired in between is recorded as of its own instant. Then managers are asked
    about what waits for them and has no approval run yet, or none any more.

    Args:
        as_of: Up to which instant, with its offset. Empty: the programme's clock.
    """
    done = expired(expire(as_of or clock.now()))
    ask_managers()
    return done

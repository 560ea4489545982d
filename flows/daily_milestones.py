"""What a day brings members by itself: birthdays, anniversaries, visits; and what files brought."""

from datetime import datetime

from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows._flow import programme_flow
from flows.manager_review import ask_managers
from flows.wording import milestones
from loyalty import clock
from loyalty.db.milestones import run_day


def _run_name() -> str:
    return f"milestones {flow_run.parameters['as_of'] or clock.now():%Y-%m-%d}"


@programme_flow(run_name=_run_name)
def daily_milestones(as_of: datetime | None = None) -> str:
    """Give points for birthdays, anniversaries and visits, and for registrations and referrals that files brought.

    Each once, however often it runs; a late run makes up for the days since the last one, as far back as the rules say.
    Triggers that the rules leave off are not looked at. Then managers are asked about what waits for them.

    Args:
        as_of: Up to the day of which instant, with its offset. Empty: the programme's clock.
    """
    done = run_day(as_of or clock.now(), clock.now())
    rows = [f"| {kind} | {grants:,} |" for kind, grants in done.granted.items()]
    create_markdown_artifact(
        "\n".join(["| for | times |", "| --- | ---: |", *rows]),
        key="daily-milestones",
        description=f"What {done.first_day} to {done.last_day} brought; points are in the month's health report",
    )
    ask_managers()
    return milestones(done)

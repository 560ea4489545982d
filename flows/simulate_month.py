"""A month as it would be, from the UI: any month, under the rules in force, changed ones, or a whole rules file."""

from typing import Annotated

from prefect.runtime import flow_run
from pydantic import Field

from flows._flow import programme_flow
from flows.monthly_loyalty import TASKS, Period
from flows.simulation import publish_simulation
from loyalty.db.engine import transaction
from loyalty.db.rules_versions import in_force
from loyalty.monthly import MOST_BATCHES, chosen_period
from loyalty.rules.changes import RuleChanges, changed
from loyalty.rules.periods import display_period

AS_IT_IS = RuleChanges()


def _run_name() -> str:
    """2017-12 simulated."""
    return f"{flow_run.parameters['period'] or display_period(chosen_period(None))} simulated"


@programme_flow(run_name=_run_name, in_batches=True)
def simulate_month(
    period: Period | None = None,
    *,
    changes: RuleChanges = AS_IT_IS,
    rules: str = "",
    batches: Annotated[int, Field(ge=1, le=MOST_BATCHES)] = 2,
) -> str:
    """Compute what a month would bring, open or closed, and publish it. Nothing is changed.

    Without changes the month is computed under the rules in force in it. What comes of it is the artifact
    simulation-YYYY-MM; each simulation of the month is a new version of it.

    Args:
        period: The month to simulate, as YYYY-MM. Empty: the last whole month by the programme's clock.
        changes: Rules to try: only what differs from the rules in force in that month.
        rules: In place of changes: the text of a whole rules file to try.
        batches: Into how many parts the members are cut; parts are worked on at the same time.
    """
    chosen = chosen_period(period)
    candidate = None
    if changes != AS_IT_IS or rules.strip():
        with transaction() as connection:
            candidate = changed(in_force(connection, chosen)[1], changes, rules)
    return publish_simulation(chosen, TASKS, batches=batches, rules=candidate)

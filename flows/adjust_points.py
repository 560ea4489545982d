"""Points given or taken by hand, asked for in the UI; above the rules' limit a second person approves."""

from typing import Annotated

from prefect.runtime import flow_run
from pydantic import Field

from flows._flow import programme_flow
from flows.manager_review import ask_managers
from loyalty import clock
from loyalty.db import adjustments, identity
from loyalty.db.engine import transaction
from loyalty.rules.programme import HANDLE, LABEL, MOST_POINTS


@programme_flow(run_name="adjustment of M{member} by {asked_by}")
def adjust_points(
    member: Annotated[int, Field(ge=1)],
    points: Annotated[int, Field(ge=-MOST_POINTS, le=MOST_POINTS)],
    reason: Annotated[str, Field(pattern=f"^{LABEL}$")],
    asked_by: Annotated[str, Field(pattern=f"^{HANDLE}$")],
) -> str:
    """Give a member points by hand, or take some, for one of the reasons of the rules.

    Up to the rules' adjust_alone_max that is done at once. Above it an approval run asks a second person to decide, and
    nothing is posted before that. A run does it once, however often it begins.

    Args:
        member: The member's number: 123 for M123. The command loyalty members find tells it; a customer id stays out.
        points: How many; below zero takes them.
        reason: A reason code of the rules, such as goodwill, complaint, missing_points, mistake or other.
        asked_by: Who asks: your handle, no e-mail address. Whoever asks can't approve.
    """
    with transaction() as connection:
        customer_id = identity.customer_id_of(connection, member)
        made = adjustments.adjust(
            connection,
            customer_id,
            points,
            reason=reason,
            note="",
            by=asked_by,
            now=clock.now(),
            request=f"run {flow_run.id}",
        )
    if made.state == "waiting":
        ask_managers()
    return made.told

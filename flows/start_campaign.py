"""A campaign, asked for in the UI: checked, simulated on the weeks before, approved by a second person, started."""

from datetime import datetime
from typing import Annotated, Any

from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from flows._flow import programme_flow
from flows.manager_review import ask_managers
from flows.wording import campaign_asked
from loyalty import clock
from loyalty.db import campaigns
from loyalty.db.approvals import LONGEST_NOTE
from loyalty.db.engine import transaction
from loyalty.reports import campaign as pages
from loyalty.rules.campaign import Campaign, CampaignForm, of_form
from loyalty.rules.programme import HANDLE

NOTHING_YET = CampaignForm()


@programme_flow(run_name="campaign by {asked_by}")
def start_campaign(
    asked_by: Annotated[str, Field(pattern=f"^{HANDLE}$")],
    *,
    campaign: CampaignForm = NOTHING_YET,
    file: str = "",
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] = "",
    ask_again: bool = False,
) -> str:
    """Start a campaign, once a second person approves.

    It is checked, and simulated on as many days before, on the same days of the week: the artifact
    campaign-NAME-simulated shows whom it reaches, what it costs at most, and how small an effect it could show. Then an
    approval run asks for a decision. The same campaign again is the same request. Nothing is given before that.

    Args:
        asked_by: Who asks: your handle, no e-mail address. Whoever asks can't approve.
        campaign: Who, when, what and how much. What is empty is left out; all of it, where a file is given.
        file: In place of these fields: the text of a campaign's file, as docs/campaigns.md has it.
        note: Why, for those who decide. No names of members.
        ask_again: Whether to ask once more for a campaign that was rejected.
    """
    wanted, now = of_form(campaign, file), clock.now()
    known = campaigns.standing(wanted, ask_again=ask_again)
    if known is None:
        figures = _simulated(wanted, now)
        known = campaigns.ask(wanted, figures, asked_by=asked_by, note=note.strip(), at=now)
    if known.state == "open":
        ask_managers()
    return campaign_asked(known, now)


def _simulated(wanted: Campaign, now: datetime) -> dict[str, Any]:
    """The figures of a campaign in the time before, published."""
    simulated = campaigns.simulate(wanted, now)
    with transaction() as connection:
        figures = pages.figures(connection, wanted, simulated, now)
    key = pages.proposal_key(wanted.name)
    create_markdown_artifact(
        pages.proposal_markdown(wanted, figures), key=key, description=f"What {wanted.name} would bring"
    )
    get_run_logger().info("the artifact %s shows what it would bring", key)
    return figures

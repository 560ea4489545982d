"""New rules, asked for in the UI: checked, simulated on the last closed month, approved by a second person, applied."""

from typing import Annotated

from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import Field

from flows._flow import programme_flow
from flows.manager_review import ask_managers
from flows.monthly_loyalty import TASKS, Period
from flows.simulate_month import AS_IT_IS
from flows.simulation import through
from loyalty import clock
from loyalty.db import rules_changes
from loyalty.db.approvals import LONGEST_NOTE
from loyalty.db.rules_changes import Draft, Proposal
from loyalty.monthly import MOST_BATCHES
from loyalty.reports import rules_change
from loyalty.reports.rules_change import Figures
from loyalty.rules.changes import RuleChanges
from loyalty.rules.periods import display_period, parse_period
from loyalty.rules.programme import HANDLE


@programme_flow(run_name="rules from {effective_from} by {asked_by}", in_batches=True)
def change_rules(
    effective_from: Period,
    asked_by: Annotated[str, Field(pattern=f"^{HANDLE}$")],
    *,
    changes: RuleChanges = AS_IT_IS,
    rules: str = "",
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] = "",
    ask_again: bool = False,
    batches: Annotated[int, Field(ge=1, le=MOST_BATCHES)] = 2,
) -> str:
    """Change the rules of the programme from a month on, once a second person approves.

    The rules are checked, the last closed month is simulated under the rules as they are and as they would be, and the
    difference is published: the artifact rules-YYYY-MM shows who wins, who loses and what it costs. Then an approval
    run asks for a decision, and an approved change is in force from its month on. The same change again is the same
    approval. Nothing is applied before that, unless the rules say that one person may (change_rules_alone).

    Args:
        effective_from: The month from which the new rules hold, as YYYY-MM: an open one.
        asked_by: Who asks: your handle, no e-mail address. Whoever asks can't approve.
        changes: What changes: only what differs from the rules that are in force in that month.
        rules: In place of changes: the text of a whole rules file, as the command loyalty rules show prints it.
        note: Why, for those who decide. No names of members.
        ask_again: Whether to ask once more for a change that was rejected.
        batches: Into how many parts the members are cut for the simulation.
    """
    wanted = rules_changes.draft(parse_period(effective_from), changes, rules)
    if wanted.after == wanted.before:
        return f"these are the rules from {effective_from} on (version {wanted.base_version}): unchanged"
    proposal = rules_changes.standing(wanted, ask_again=ask_again)
    if proposal is None:
        figures = _simulated(wanted, batches)
        proposal = rules_changes.propose(wanted, figures, asked_by=asked_by, note=note.strip(), at=clock.now())
    _publish(proposal)
    if proposal.state == "open":
        ask_managers()
    return _told(proposal)


def _simulated(wanted: Draft, batches: int) -> Figures:
    """The last closed month under both rules, its steps as task runs that say under which."""
    compared = rules_changes.compared(
        wanted, batches=batches, do=(through(TASKS, "as it is"), through(TASKS, "as it would be"))
    )
    figures = rules_change.figures(wanted, compared)
    get_run_logger().info("%s simulated: %s", figures["simulated"], rules_change.balance(figures))
    return figures


def _publish(proposal: Proposal) -> None:
    """The artifact rules-2026-12: its newest version is the newest proposal for the month."""
    key, month = rules_change.artifact_key(proposal.from_period), display_period(proposal.from_period)
    create_markdown_artifact(
        rules_change.markdown(proposal), key=key, description=f"What a change of the rules from {month} would bring"
    )
    get_run_logger().info("the artifact %s shows the difference", key)


def _told(proposal: Proposal) -> str:
    """What became of the proposal, in a line."""
    month = display_period(proposal.from_period)
    balance = rules_change.balance(proposal.figures)
    if proposal.version is not None:
        return f"rules version {proposal.version} is in force from {month}: {balance}"
    key = rules_change.artifact_key(proposal.from_period)
    asked = f"approval {proposal.approval_no}, asked by {proposal.asked_by}"
    return f"new rules from {month} wait for {asked}: {balance}; artifact {key}"

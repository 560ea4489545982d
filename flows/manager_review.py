"""How managers decide in Prefect: a run of its own for each approval, suspended with a form while nobody answers.

The database holds what is asked and what was decided; a run that is lost is only a lost form, and another is made.
"""

from collections.abc import Callable, Mapping
from datetime import date
from importlib import import_module
from typing import Any, cast
from uuid import UUID

from prefect import suspend_flow_run
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run
from prefect.settings import PREFECT_API_URL
from sqlalchemy import Connection

from flows import approval_runs, prefect_api
from flows._flow import programme_flow
from flows._review_form import answer, artifact_key, form
from loyalty import clock
from loyalty.db import approval_runs as known_runs
from loyalty.db import approvals, reviews, rules_versions
from loyalty.db.approvals import Approval, Kind
from loyalty.db.engine import transaction
from loyalty.db.programme import check_ready
from loyalty.errors import BadInput, Refused, Unavailable, WrongUse
from loyalty.monthly import REPORTS
from loyalty.reports import reviews as review_pages
from loyalty.rules.periods import display_period, period_of
from tasks._report import publish

_PAGES: dict[Kind, str] = {
    "tier_upgrades": "loyalty.reports.reviews",
    "rules": "loyalty.reports.rules_change",
    "recompute": "loyalty.reports.recompute",
    "adjustment": "loyalty.reports.adjustment",
    "campaign": "loyalty.reports.campaign",
}
"""Where the function `page(connection, approval_no)` of a kind is: all there is to know, in Markdown."""


def _run_name() -> str:
    return approvals.find(flow_run.parameters["approval_no"]).name


@programme_flow(run_name=_run_name)
def manager_review(approval_no: int) -> str:
    """Ask managers for a decision, wait for it without a process, and do what they decide.

    Decide by Resume in the menu of the suspended run. Runs of this flow are made by themselves, one for each batch of
    upgrades, proposal of rules, correction or manual adjustment that waits.

    Args:
        approval_no: The number of what waits, as `loyalty approvals list` shows it.
    """
    approval = approvals.find(approval_no)
    if approval.state == "open" and not deployment.id:
        return f"{approval.name} waits; decide it with `loyalty approvals` (only a deployed run can wait)"
    if approval.state == "open" and (other := _held_by_another(approval)):
        return f"{approval.name} waits in run {other} already"
    while approval.state == "open":
        given = _given(approval)
        if given is None:
            _ask(approval)
        else:
            _decide(approval, given)
        approval = approvals.find(approval_no)
    _tell(approval)
    return f"{approval.state} by {approval.decided_by}: {approval.told}"


def ask_managers(period: date | None = None) -> int:
    """Start a run for each approval that waits and has none, and end runs of what is decided; how many were started.

    With a period, its list of waiting upgrades is published too, as artifact reviews-2017-12. Where no server answers
    or nothing is deployed, the next daily flow does it.
    """
    if period is not None:
        publish_waiting(period)
    address = PREFECT_API_URL.value() or prefect_api.found()
    if not address:
        return 0
    try:
        approval_runs.end_decided(address)
        return approval_runs.ask_for_all(address)
    except Unavailable as error:
        get_run_logger().warning("managers are asked by the next daily flow: %s", error)
        return 0


def publish_waiting(period: date) -> None:
    """Publish the artifact reviews-2017-12: which upgrades of the period wait, and how to decide them."""
    with transaction() as connection:
        page = review_pages.waiting(connection, period)
    create_markdown_artifact(
        page,
        key=review_pages.artifact_key(period),
        description=f"Upgrades of {display_period(period)} that wait for a manager",
    )


def _held_by_another(approval: Approval) -> str | None:
    """The other run that asks for this approval, if one does; else this run holds it from now on."""
    own, runs = str(flow_run.id), known_runs.of_approval(approval.approval_no)
    newest = runs[0] if runs else (0, own)
    if newest[1] == own and runs:
        return None
    if newest[1] != own and approval_runs.is_alive(_server(), newest[1]):
        return newest[1]
    if known_runs.add(approval.approval_no, newest[0] + 1, own):
        return None
    return known_runs.of_approval(approval.approval_no)[0][1]


def _given(approval: Approval) -> Mapping[str, Any] | None:
    """The answer that a manager has given, if one has: to this run, or to an earlier one that was lost over it.

    Prefect keeps answers under keys that count those refused before, so that none is taken twice.
    """
    prefix = f"suspended-{approval_runs.ANSWER_KEY}-{approval.answers_refused}-"
    for _, flow_run_id in known_runs.of_approval(approval.approval_no):
        for key, typed in approval_runs.inputs(_server(), flow_run_id, prefix).items():
            if key.endswith("-response"):
                return cast("Mapping[str, Any]", typed)
    return None


def _ask(approval: Approval) -> None:
    """Publish what there is to know, and suspend this run with its form: the process ends here."""
    with transaction() as connection:
        page = _publish(connection, approval)
        upgrades = reviews.batch(connection, approval.approval_no)
        _, rules = rules_versions.in_force(connection, period_of(clock.now(), check_ready()))
    asked = approval_runs.inputs(_server(), str(flow_run.id), f"suspended-{approval_runs.ANSWER_KEY}")
    # never the same key: Prefect would not ask again, and take the form's defaults for an answer
    key = f"{approval_runs.ANSWER_KEY}-{approval.answers_refused}-{flow_run.run_count}-{len(asked)}"
    get_run_logger().info("%s To decide, choose Resume in the menu (⋮) of this run.", approval.about)
    suspend_flow_run(wait_for_input=form(approval, upgrades, rules, page), key=key)


def _decide(approval: Approval, typed: Mapping[str, Any]) -> None:
    """Decide as the manager says; where that can't be done the form asks again, and says why."""
    try:
        given = answer(typed)
        approvals.decide(
            approval.approval_no,
            approve=given.approve,
            by=given.by,
            note=given.note,
            leave_out=given.leave_out,
            code=given.code,
        )
    except (Refused, WrongUse, BadInput) as refusal:
        get_run_logger().warning("the answer can't be taken: %s", refusal)
        approvals.refuse_answer(approval, refusal)


def _tell(approval: Approval) -> None:
    """What a decision leaves in Prefect: its page, and the month's reports, as new versions of their artifacts."""
    with transaction() as connection:
        _publish(connection, approval)
    if approval.kind == "tier_upgrades" and approval.period is not None:
        for kind in REPORTS.values():
            publish(kind, approval.period)
        publish_waiting(approval.period)
    for attempt, flow_run_id in known_runs.of_approval(approval.approval_no):
        if flow_run_id == str(flow_run.id):
            known_runs.end(approval.approval_no, attempt)


def _publish(connection: Connection, approval: Approval) -> UUID:
    """Publish the page of an approval, the next version of its artifact; the version's id."""
    page = cast("Callable[[Connection, int], str]", import_module(_PAGES[approval.kind]).page)
    made = create_markdown_artifact(
        page(connection, approval.approval_no),
        key=artifact_key(approval.approval_no),
        description=f"{approval.name}: {approval.told or 'waits for a decision'}",
    )
    return cast("UUID", made)  # sync, in a flow that is


def _server() -> str:
    """The address of the API that this run is told to."""
    return str(PREFECT_API_URL.value())

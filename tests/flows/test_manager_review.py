"""Managers decide in Prefect: the form, the runs that show it, and what an answer brings."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from prefect.utilities.schema_tools.validation import is_valid
from sqlalchemy import URL

from flows import approval_runs, manager_review
from flows._review_form import answer, form
from loyalty.db import approval_runs as known_runs
from loyalty.db import approvals
from loyalty.db.approvals import Approval
from loyalty.db.reviews import Upgrade
from loyalty.errors import BadInput
from loyalty.monthly import Terms, chosen_period, close_month
from loyalty.reports.reviews import doubts
from loyalty.rules.programme import Programme
from tests.flows.conftest import PERSONAL, ROOT, Prefect

PAGE = UUID(int=1)
ADA = "M1 Bronze→Gold 2,600.00 USD"
ASKED = Approval(
    approval_no=1,
    kind="tier_upgrades",
    occasion="2026-01 Gold 1",
    period=date(2026, 1, 1),
    asked_by="system",
    asked_at=datetime(2026, 4, 2, tzinfo=UTC),
    due_at=datetime(2026, 4, 16, tzinfo=UTC),
    due_on="2026-04-16",
    state="open",
    decided_by=None,
    decided_at=None,
    note=None,
    told=None,
    answers_refused=0,
    last_refusal=None,
    members=1,
)
UPGRADE = Upgrade(
    review_no=1,
    member_no=1,
    from_tier="Bronze",
    to_tier="Gold",
    qualifying_points=260,
    spend=260_000,
    state="open",
    decided_by=None,
    note=None,
    currency="USD",
    purchases=5,
    sold=100_000,
    returned=19_999,
    largest=59_999,
    months_bought=3,
    months_known=12,
    owed=0,
    rejected_in=None,
)


@pytest.fixture
def waiting(shop: URL) -> Approval:
    """The shop after January, whose one upgrade into Gold waits."""
    assert close_month(chosen_period("2026-01"), Terms()) == "closed"
    return approvals.find(1)


@pytest.fixture(scope="session")
def deployed(prefect_server: Prefect) -> Prefect:
    """The server with the flow deployed, without a worker."""
    prefect_server.deploy("manager_review")
    return prefect_server


def test_the_form_has_no_default_decision_and_names_members_by_number() -> None:
    """Law: who is left out is picked from the batch's own members; nothing is decided by a plain click."""
    made = form(ASKED, [UPGRADE], Programme(), PAGE)
    schema = made.model_json_schema()

    assert schema["required"] == ["decision", "reviewer"]
    assert list(schema["properties"]) == ["decision", "leave_out", "note", "reviewer"]
    assert schema["properties"]["decision"]["enum"] == ["approve", "reject"]
    assert schema["properties"]["leave_out"]["items"]["const"] == ADA
    assert [name for name, field in schema["properties"].items() if not field["description"].endswith(".")] == []
    assert made._description == (
        "**One upgrade into Gold of 2026-01 waits.** "
        "[Look at it first](/v2/artifacts/artifact/00000000-0000-0000-0000-000000000001): "
        "what it is about, and what may be doubted.\n\n"
        "Please decide by 2026-04-16: silence approves nothing. The first decision counts."
    )


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ({"decision": "approve", "reviewer": "anna"}, True),
        ({"decision": "approve", "reviewer": "anna", "leave_out": [], "note": ""}, True),
        ({"decision": "approve", "reviewer": "anna", "leave_out": [ADA], "note": "why"}, True),
        ({"decision": "reject", "reviewer": "anna", "note": "a reseller"}, True),
        ({}, False),
        ({"decision": "approve"}, False),
        ({"reviewer": "anna"}, False),
        ({"decision": "maybe", "reviewer": "anna"}, False),
        ({"decision": "approve", "reviewer": ""}, False),
        ({"decision": "approve", "reviewer": "anna@example.com"}, False),
        ({"decision": "approve", "reviewer": "anna", "leave_out": ["M9 Bronze→Gold 1.00 USD"], "note": "why"}, False),
        ({"decision": "approve", "reviewer": "anna", "leave_out": [ADA]}, False),
        ({"decision": "reject", "reviewer": "anna"}, False),
        ({"decision": "reject", "reviewer": "anna", "note": "x" * 501}, False),
        ({"decision": "reject", "reviewer": "anna", "note": "no", "leave_out": [ADA]}, False),
        ({"decision": "approve", "reviewer": "anna", "surprise": 1}, False),
    ],
)  # fmt: skip
def test_the_server_takes_only_answers_that_make_sense(typed: dict[str, Any], taken: bool) -> None:
    """Law: Prefect's server holds an answer against the schema before the run hears of it."""
    assert is_valid(typed, form(ASKED, [UPGRADE], Programme(), PAGE).model_json_schema()) is taken


def test_a_code_is_asked_for_only_where_the_rules_ask() -> None:
    """Law: the field for the one-time code is there, and must be filled in, if the rules say so."""
    schema = form(ASKED, [], Programme(review_code=True), PAGE).model_json_schema()

    assert list(schema["properties"]) == ["decision", "note", "reviewer", "code"]
    assert schema["required"] == ["decision", "reviewer", "code"]


def test_an_answer_of_another_form_is_asked_again() -> None:
    """Law: what no present form can have given is refused in a line."""
    with pytest.raises(BadInput) as refused:
        answer({"approve": True})

    assert str(refused.value) == "the form has changed since it was filled in: fill it in again"


def test_a_manager_decides(deployed: Prefect, waiting: Approval, shop: URL, execute: Callable[[str], None]) -> None:
    """Law: one run asks, without a process, again if retried; a good answer is decided, the reports are made again."""
    assert [approval_runs.ask_for_all(deployed.api), approval_runs.ask_for_all(deployed.api)] == [1, 0]
    [(attempt, run)] = known_runs.of_approval(1)
    execute(run)
    for kind in ("FAILED", "SCHEDULED"):  # a retry, by hand or by the automations
        _end(deployed, run, kind)
    execute(run)
    asked = _run(deployed, run)
    refused = _resume(deployed, run, decision="approve")
    accepted = _resume(deployed, run, decision="approve", reviewer="anna")
    again = _resume(deployed, run, decision="reject", reviewer="eve", note="never")
    execute(run)
    done = _run(deployed, run)
    pages = deployed.filtered("artifacts", artifacts={"flow_run_id": {"any_": [run]}}, sort="KEY_ASC")
    left = json.dumps([asked, done, pages, approval_runs.inputs(deployed.api, run, "suspended")])

    assert (attempt, asked["name"], sorted(asked["tags"])) == (
        1,
        "review 2026-01 Gold 1",
        ["approval", "loyalty", "period:2026-01"],
    )
    assert (asked["state"]["name"], asked["state"]["state_details"]["pause_timeout"]) == ("Suspended", None)
    assert asked["run_count"] == 2
    assert [refused, accepted, again] == ["REJECT", "ACCEPT", "ABORT"]
    assert (done["state"]["name"], done["state"]["message"]) == (
        "Completed",
        "approved by anna: 1 approved, 0 rejected, 0 lapsed",
    )
    assert [page["key"] for page in pages] == [
        "approval-1",
        "approval-1",
        "approval-1",
        "loyalty-health-2026-01",
        "loyalty-roi-2026-01",
        "reviews-2026-01",
    ]
    assert [word for word in PERSONAL if word in left] == []
    assert approval_runs.end_decided(deployed.api) == 0


def test_a_run_that_is_lost_is_followed_by_one_other(deployed: Prefect, waiting: Approval) -> None:
    """Law: a cancelled, failed or deleted run is followed by the next attempt, and never are two alive."""
    made = []
    for loss in ("CANCELLED", "FAILED", "CRASHED", None):
        made.append(approval_runs.ask_for_all(deployed.api))
        assert approval_runs.ask_for_all(deployed.api) == 0
        [(_, newest), *_] = known_runs.of_approval(1)
        if loss is None:
            deployed.ask("DELETE", f"flow_runs/{newest}")
        else:
            _end(deployed, newest, loss)
    made.append(approval_runs.ask_for_all(deployed.api))

    assert made == [1, 1, 1, 1, 1]
    runs = known_runs.of_approval(1)
    assert [attempt for attempt, _ in runs] == [5, 4, 3, 2, 1]
    assert [approval_runs.is_alive(deployed.api, run) for _, run in runs] == [True, False, False, False, False]


def test_a_run_ends_once_others_have_decided(deployed: Prefect, waiting: Approval) -> None:
    """Law: what the command line decides is told in the run that asked, which then asks no more."""
    approval_runs.ask_for_all(deployed.api)
    [(_, run)] = known_runs.of_approval(1)
    approvals.decide(1, approve=False, by="bert", note="a reseller")

    assert [approval_runs.end_decided(deployed.api), approval_runs.end_decided(deployed.api)] == [1, 0]
    assert _run(deployed, run)["state"]["message"] == ("decided elsewhere, by bert: 0 approved, 1 rejected, 0 lapsed")
    assert approval_runs.ask_for_all(deployed.api) == 0


def test_every_kind_has_its_page_and_its_effect() -> None:
    """Law: what managers can be asked about has a page that shows it and a function that does it."""
    pages = {kind: import_module(module).page for kind, module in manager_review._PAGES.items()}

    assert pages.keys() == approvals._EFFECTS.keys()
    assert all(map(callable, pages.values()))
    assert all(callable(approvals._named(kind)) for kind in approvals._EFFECTS)


def test_doubts_are_told_the_gravest_first() -> None:
    """Law: what came back, what is lumpy, new, owed or was rejected before is pointed out; the rest is not."""
    known = {name: getattr(UPGRADE, name) for name in Upgrade.__slots__}
    dubious = known | {"returned": 20_000, "largest": 60_000, "months_bought": 1, "owed": 12, "rejected_in": "2025-06"}

    assert doubts(UPGRADE) == []
    assert doubts(Upgrade(**dubious)) == [
        "20.0% came back",
        "60.0% in one purchase",
        "bought in this month only",
        "owes 12 points",
        "rejected before, for 2025-06",
    ]
    assert doubts(Upgrade(**known | {"purchases": 1, "months_known": 5, "months_bought": 1})) == ["a single purchase"]


@pytest.fixture
def execute(deployed: Prefect, tmp_path: Any) -> Callable[[str], None]:
    """Run a deployment's run in a process of its own, as a worker does, until it ends or is suspended."""
    environment = os.environ | {"PREFECT_API_URL": deployed.api, "PREFECT_HOME": str(tmp_path / "prefect")}

    def execute(flow_run: str) -> None:
        command = [sys.executable, "-m", "prefect", "flow-run", "execute", flow_run]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    return execute


def _run(server: Prefect, flow_run: str) -> Any:
    return server.ask("GET", f"flow_runs/{flow_run}")


def _resume(server: Prefect, flow_run: str, **typed: Any) -> str:
    return str(server.post(f"flow_runs/{flow_run}/resume", {"run_input": typed})["status"])


def _end(server: Prefect, flow_run: str, kind: str) -> None:
    server.post(f"flow_runs/{flow_run}/set_state", {"state": {"type": kind}, "force": True})

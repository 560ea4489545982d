"""A change of the rules asked for in Prefect: the difference in an artifact, a decision asked for, nothing applied."""

import uuid

from sqlalchemy import URL

from loyalty.db import approvals, rules_versions
from loyalty.db.engine import connect
from tests.flows.conftest import PERSONAL, Command, Prefect

CHANGES = {"rate": "0.2", "tiers": [{"tier": "Gold", "threshold": "500"}]}


def test_a_change_of_the_rules_is_shown_and_asked_for(
    shop: URL, prefect_server: Prefect, directly: Command, run_flow: Command
) -> None:
    """Law: the run tells who wins and loses, the artifact shows it, an approval waits, and the rules are as before.

    What is wrong fails the run with the lines of `loyalty rules check`. Nobody's data comes into Prefect.
    """
    assert directly("close", "2026-01").returncode == 0
    note, wrong = uuid.uuid4().hex, uuid.uuid4().hex
    asked = {"effective_from": "2026-02", "asked_by": "ana"}
    done = run_flow("change_rules", note, **asked, changes=CHANGES)
    assert done.returncode == 0, done.stderr
    run_flow("change_rules", wrong, **asked, rules="rate = -1\nhold_month = 3")
    [run], [refused] = prefect_server.runs(note), prefect_server.runs(wrong)
    [page] = prefect_server.filtered("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}})
    tasks = prefect_server.recorded(run["id"], 20)

    assert run["name"] == "rules from 2026-02 by ana"
    assert run["state"]["message"] == (
        "new rules from 2026-02 wait for approval 2, asked by ana: 3 members better off, 0 worse; "
        "artifact rules-2026-02"
    )
    assert page["key"] == "rules-2026-02"
    assert "| Gold: threshold |      250 |            500 |" in page["data"]
    assert {task["state"]["type"] for task in tasks} == {"COMPLETED"}
    assert (tasks[0]["name"], tasks[-1]["name"]) == (
        "as it is: calculate_loyalty_points_earned [1, 3)",
        "as it would be: retrieve_customer_profile [3, 5)",
    )
    assert refused["state"]["message"].splitlines() == [
        "rules: line 1: rate: must be a number from 0 to 1000000 with at most 6 decimals, not -1",
        "rules: line 2: hold_month: no rule has this name; did you mean hold_months?",
    ]
    assert [person for person in PERSONAL if person in page["data"]] == []
    with connect() as connection:
        assert [(each.kind, each.asked_by) for each in approvals.waiting(connection)][-1] == ("rules", "ana")
        assert [version.version for version in rules_versions.history(connection)] == [1]

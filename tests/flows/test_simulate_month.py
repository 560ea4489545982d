"""A month simulated from the UI, under rules that are tried."""

import uuid

from sqlalchemy import URL, text

from loyalty.db.engine import connect
from tests.flows.conftest import Command, Prefect


def test_rules_are_tried_on_a_month_and_leave_nothing(shop: URL, prefect_server: Prefect, run_flow: Command) -> None:
    """Law: a month is simulated under rules in force but for what is written; no version of the rules is left."""
    note = uuid.uuid4().hex
    done = run_flow("simulate_month", note, period="2026-01", changes={"rate": "0.2"})
    assert done.returncode == 0, done.stderr
    [run] = prefect_server.runs(note)
    [page] = prefect_server.filtered("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}})

    assert (run["name"], page["key"]) == ("2026-01 simulated", "simulation-2026-01")
    assert run["state"]["message"] == ("2026-01 simulated: 799 points, 0 moves, 2 reviews; artifact simulation-2026-01")
    assert "Computed under candidate rules. Nothing was changed." in page["data"]
    with connect() as connection:
        assert connection.scalar(text("select count(*) from loyalty.rules_versions")) == 1
        assert connection.scalar(text("select count(*) from loyalty.runs")) == 0

"""Reports made again after a decision."""

import uuid

from sqlalchemy import text

from loyalty.db.engine import connect
from loyalty.monthly import Terms, chosen_period, close_month
from tests.flows.conftest import Command, Prefect


def _revisions() -> list[tuple[str, int]]:
    with connect() as connection:
        rows = connection.execute(text("select kind, max(revision) from loyalty.reports group by kind order by kind"))
        return [(row[0], row[1]) for row in rows]


def test_a_decision_gives_new_versions_of_the_reports(through_prefect: Command, prefect_server: Prefect) -> None:
    """Law: once a review is decided both reports are made again under their keys, and nobody is said to wait."""
    note = uuid.uuid4().hex
    assert close_month(chosen_period("2026-01"), Terms()) == "closed"
    done = through_prefect("reviews", "approve", "1", "--by", "anna", note=note)
    assert done.returncode == 0, done.stderr
    [run] = prefect_server.runs(note)
    pages = prefect_server.filtered("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}}, sort="KEY_ASC")

    assert run["name"] == "2026-01 reports again"
    assert [(page["key"], page["description"]) for page in pages] == [
        ("loyalty-health-2026-01", "Loyalty health report of 2026-01, revision 2"),
        ("loyalty-roi-2026-01", "Loyalty programme ROI of 2026-01, revision 2"),
        ("reviews-2026-01", "Upgrades of 2026-01 that wait for a manager"),
    ]
    assert pages[2]["data"] == "# No upgrade waits · January 2026\n"
    assert _revisions() == [("health", 2), ("roi", 2)]


def test_without_a_server_they_are_stored_all_the_same(directly: Command) -> None:
    """Law: the reports that are kept do not depend on Prefect."""
    assert close_month(chosen_period("2026-01"), Terms()) == "closed"
    assert directly("reviews", "reject", "1", "--by", "anna", "--note", "a reseller").returncode == 0

    assert _revisions() == [("health", 2), ("roi", 2)]

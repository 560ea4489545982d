"""Segments computed in Prefect: their sizes in an artifact, and no member's data."""

import uuid

from sqlalchemy import URL

from tests.flows.conftest import PERSONAL, Command, Prefect


def test_segments_are_computed_and_their_sizes_shown(
    shop: URL, prefect_server: Prefect, directly: Command, run_flow: Command
) -> None:
    """Law: the run tells the sizes that the command then counts, the artifact shows them, and nobody's name."""
    note = uuid.uuid4().hex
    assert run_flow("compute_segments", note).returncode == 0
    [run] = prefect_server.runs(note)
    [page] = prefect_server.filtered("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}})
    counted = directly("segments", "count").stdout.splitlines()

    assert (run["name"], page["key"]) == ("segments 2026-04-02", "segments")
    assert run["state"]["message"] == ("4 members: 4 active, 0 best, 1 one time, 1 at risk, 0 lapsed, 0 near threshold")
    assert "| Active: bought in the last 365 days" in page["data"]
    assert [line.split() for line in counted] == [
        ["4", "members", "who", "ever", "bought,", "as", "of", counted[0].split()[-1]],
        ["segment", "members"],
        ["active", "4"],
        ["best", "0"],
        ["one_time", "1"],
        ["at_risk", "1"],
        ["lapsed", "0"],
        ["near_threshold", "0"],
    ]
    assert [person for person in PERSONAL if person in page["data"]] == []

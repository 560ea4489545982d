"""Points given by hand from the Prefect UI's form."""

import uuid

from sqlalchemy import URL, text

from loyalty.db.engine import connect
from tests.flows.conftest import Command, Prefect


def test_points_are_adjusted_from_the_form(
    shop: URL, prefect_server: Prefect, directly: Command, run_flow: Command
) -> None:
    """Law (11): up to the limit at once, above it once a second person approves; what is wrong is the run's message."""
    alone, above, wrong = (uuid.uuid4().hex for _ in range(3))
    asked = {"member": 1, "reason": "goodwill", "asked_by": "ana"}
    assert run_flow("adjust_points", alone, **asked, points=20).returncode == 0
    assert run_flow("adjust_points", above, **asked, points=2000).returncode == 0
    assert run_flow("adjust_points", wrong, **asked | {"member": 99}, points=1).returncode != 0
    runs = [prefect_server.runs(note)[0] for note in (alone, above, wrong)]
    assert [(run["name"], run["state"]["message"]) for run in runs] == [
        ("adjustment of M1 by ana", "adjustment 1 posted: +20 points"),
        ("adjustment of M1 by ana", "adjustment 2 waits for approval 1: a second person decides"),
        ("adjustment of M99 by ana", "there is no member M99"),
    ]

    assert directly("approvals", "approve", "1", "--by", "ana").returncode == 1
    assert directly("approvals", "approve", "1", "--by", "ben").returncode == 0
    with connect() as connection:
        entries = connection.execute(text("select points from loyalty.entries order by entry_id")).scalars().all()
        requests = connection.execute(text("select request from loyalty.adjustments order by 1")).scalars().all()
    assert entries == [20, 2000]
    assert requests == sorted(f"run {run['id']}" for run in runs[:2])

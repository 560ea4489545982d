"""The daily run of the triggers as a flow: counts, and nobody's data."""

import uuid
from datetime import date

from sqlalchemy import URL, text

from loyalty import clock
from loyalty.db.engine import transaction
from loyalty.db.rules_versions import in_force, install
from tests.flows.conftest import PERSONAL, Command, Prefect

GIVEN = {"registration_points": 5, "profile_points": 2, "birthday_points": 10, "visit_points": 3, "visits_each": 2}


def test_the_daily_run_tells_how_many(shop: URL, prefect_server: Prefect, run_flow: Command) -> None:
    """Law: the run's line and artifact count what was given, by kind; a second run gives nothing; no one is named."""
    with transaction() as connection:
        rules = in_force(connection, date(2026, 4, 1))[1].model_copy(update=GIVEN)
        install(connection, rules, from_period=None, by="ann", at=clock.now())
        connection.execute(text("update loyalty.members set birthday = '1990-04-02', enrolled_at = '2026-03-30'"))
    notes = [uuid.uuid4().hex for _ in range(2)]
    for note in notes:
        run_flow("daily_milestones", note)

    runs = [prefect_server.runs(note)[0] for note in notes]
    found = prefect_server.filtered("artifacts", artifacts={"flow_run_id": {"any_": [runs[0]["id"]]}})
    page = next(each["data"] for each in found if each["key"] == "daily-milestones")

    assert [run["state"]["message"] for run in runs] == [
        "2026-03-26 to 2026-04-02: 4 registration, 4 birthday, 3 profile, 2 visits",
        "2026-04-02: nothing to give",
    ]
    assert "| birthday | 4 |" in page
    assert [word for word in PERSONAL if word in page] == []

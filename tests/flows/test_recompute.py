"""Closed months computed anew from the UI and the command line: the difference is published, and waits for a person."""

import re
import uuid
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from loyalty import clock, monthly
from loyalty.db import approvals, engine, rules_versions, verify
from loyalty.db.imports import import_transactions
from loyalty.rules.periods import parse_period
from loyalty.rules.toml import parse, to_toml
from tests.flows.conftest import PERSONAL, Command, Prefect

HEADER = "transaction_id,customer_id,occurred_at,amount\n"
IN_TIME = "T7,C2,2026-02-12T12:00:00Z,100.00\n"
TOO_LATE = "T8,C3,2026-01-13T12:00:00Z,1200.00\nT2,C2,2026-01-11T12:00:00Z,13.00\n"
MONTHS = ("backfill", "2026-01", "2026-02", "--recompute", "--by", "anna")
WAITS = "2026-01 to 2026-02: +10 and -10 points wait for approval 2"


@pytest.fixture
def late(shop: URL, tmp_path: Path) -> None:
    """Silver doubles; January and February closed; then C3 should have been Silver all February, and C2 should not."""
    january, file = parse_period("2026-01"), tmp_path / "rows.csv"
    with engine.transaction() as connection:
        _, rules = rules_versions.in_force(connection, january)
        doubled = re.sub(r'(name = "Silver"\nthreshold = 120\nmultiplier = )1\n', r"\g<1>2\n", to_toml(rules))
        rules_versions.install(connection, parse(doubled), from_period=january, by="anna", at=clock.now())
    for rows, correct in ((IN_TIME, False), (TOO_LATE, True)):
        file.write_text(HEADER + rows)
        assert import_transactions(file, correct=correct).rejected == 0
        for month in ("2026-01", "2026-02"):
            monthly.close_month(parse_period(month), monthly.Terms(notify=False))


def test_a_recompute_is_published_and_waits(late: None, through_prefect: Command, prefect_server: Prefect) -> None:
    """Law: a run of backfill shows the difference by month and member number, asks once, and posts what is approved."""
    note = uuid.uuid4().hex
    asked = through_prefect(*MONTHS, note=note)
    assert asked.returncode == 0, asked.stderr
    (run,) = prefect_server.runs(note)
    made = prefect_server.filtered("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}})
    page = next(each for each in made if each["key"] == "recompute-2026-01-2026-02")["data"]
    approved = approvals.decide(2, approve=True, by="bob")
    again = through_prefect(*MONTHS)

    assert (asked.returncode, asked.stdout) == (0, f"{WAITS}; artifact recompute-2026-01-2026-02\n"), asked.stderr
    assert (run["name"], run["state"]["message"]) == ("2026-01 to 2026-02", asked.stdout.strip())
    assert [each["data"] for each in made if each["type"] == "progress"] == [100.0]
    assert (
        "| 2026-02 |                      2 |                 2 |       +10 |      \N{MINUS SIGN}10 |               2 |"
        in page
    )
    assert [word for word in [*PERSONAL, "C2", "C3"] if word in page] == []
    assert approved.told == "+10 and -10 points posted to 2 members in 2026-03"
    assert again.stdout.startswith("2026-01 to 2026-02: unchanged, every point is where it would be"), again.stderr
    assert all(check.holds for check in verify.verify())


def test_without_a_server_a_recompute_does_the_same(late: None, directly: Command) -> None:
    """Law: the months are shown line by line, an approval waits, and plain words say what can't be."""
    asked, again = directly(*MONTHS), directly(*MONTHS)
    early = directly("backfill", "2026-01", "2026-03", "--recompute")
    both = directly(*MONTHS, "--notify")

    assert (asked.returncode, asked.stdout.splitlines()) == (
        0,
        ["2026-01: no points, 2 in another tier", "2026-02: +10 and -10 points of 2 members, 2 in another tier", WAITS],
    ), asked.stderr
    assert again.stdout == asked.stdout
    assert (early.returncode, early.stderr) == (1, "loyalty: 2026-03 is not closed: a recompute is of closed months\n")
    assert both.returncode == 2
    with engine.connect() as connection:
        assert (
            connection.execute(text("select count(*) from loyalty.approvals where kind = 'recompute'")).scalar_one()
            == 1
        )

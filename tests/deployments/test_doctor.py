"""`loyalty doctor` where something is wrong: each part has its line, and what to do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from deployments.programme import wanted
from loyalty.cli import run
from loyalty.commands import doctor
from loyalty.db import embedded
from loyalty.db.engine import transaction

NOBODY = "http://127.0.0.1:9/api"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's Prefect."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))


@pytest.fixture
def found(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the doctor; the exit code and the findings by part."""

    def examine() -> tuple[int, dict[str, dict[str, str]]]:
        code = run(["doctor", "--json"])
        told = json.loads(capsys.readouterr().out)
        assert told["well"] == (code == 0)
        return code, {each["part"]: each for each in told["findings"]}

    return examine


def test_where_nothing_is_up_nothing_is_started(found: Any) -> None:
    """Law: without a database and a server both are named with what starts them, and the doctor starts neither."""
    code, parts = found()

    assert code == 1
    assert {name for name, each in parts.items() if each["state"] == "problem"} == {"database", "Prefect"}
    assert "`make up`" in parts["database"]["mend"]
    assert parts["Prefect"]["told"] == "no server is known"
    assert not embedded.status().running


def test_a_programme_that_is_well_has_no_problem_but_prefect(
    shop: URL, found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: the database's line has its version, the programme's its zone and rules; a server that is away is named."""
    monkeypatch.setenv("PREFECT_API_URL", NOBODY)
    code, parts = found()

    assert code == 1
    assert {name for name, each in parts.items() if each["state"] == "problem"} == {"Prefect"}
    assert parts["Prefect"]["told"] == f"no server answers at {NOBODY}"
    assert parts["database"]["told"].startswith("PostgreSQL 1")
    assert parts["programme"]["told"] == "migrated, months begin in UTC, rules version 1, no month closed yet"
    assert parts["clock"]["state"] == "note"  # the shop's stands in April


def test_a_database_without_the_schema_is_told_to_be_migrated(empty_database: URL, found: Any) -> None:
    """Law: the database is well and the programme is not, and the line says what to run."""
    _, parts = found()

    assert parts["database"]["state"] == "ok"
    assert (parts["programme"]["state"], parts["programme"]["told"]) == (
        "problem",
        "the database is not set up yet: run `loyalty migrate`",
    )


def test_a_migration_that_is_missing_is_named(shop: URL, found: Any) -> None:
    """Law: what this release needs and the database lacks is a problem of the programme."""
    with transaction() as connection:
        connection.execute(text("delete from migrations where number = (select max(number) from migrations)"))
    _, parts = found()

    assert parts["programme"]["state"] == "problem"
    assert parts["programme"]["told"].startswith("the database lacks migration 000")


def test_a_database_that_does_not_answer_is_a_problem(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: the address in the environment is what to mend, and its password is not shown."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", "postgresql://loyalty:geheim@127.0.0.1:9/loyalty")
    _, parts = found()

    assert parts["database"]["state"] == "problem"
    assert "LOYALTY_DATABASE_URL" in parts["database"]["mend"]
    assert "geheim" not in json.dumps(parts)


def test_dead_letters_are_a_problem(shop: URL, found: Any) -> None:
    """Law: events that nobody could apply are counted, and the command that shows them is named."""
    with transaction() as connection:
        connection.execute(
            text(
                "insert into inbox (source, event_id, kind, digest, received_at, state, reason, finished_at)"
                " values ('till', 'E1', 'sale', sha256('x'), '2026-01-01', 'dead', 'no rate', '2026-01-02')"
            )
        )
    _, parts = found()

    assert (parts["inbox"]["state"], parts["inbox"]["told"]) == (
        "problem",
        "1 events from outside could not be applied",
    )


def test_a_full_disc_is_seen_before_it_stops_the_database(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: less than the least is a problem."""
    monkeypatch.setattr(doctor, "LEAST_DISK", 1 << 60)
    _, parts = found()

    assert (parts["disc"]["state"], parts["disc"]["mend"]) == ("problem", "make room, or move LOYALTY_HOME")


def test_packages_are_compared_with_the_lock(tmp_path: Path) -> None:
    """Law: another version than the lock's is named with both; what is not installed may not be needed."""
    (tmp_path / "requirements.lock").write_text(
        "prefect==0.0.1 \\\n    --hash=sha256:0\npytest==0.0.2 ; python_version > '3'\nnot-there==1.0\n"
    )
    told = [each.told for each in doctor.installation(tmp_path) if each.part == "packages"]
    there = [doctor._installed(name) for name in ("prefect", "pytest")]

    assert told == [
        f"not as locked: prefect {there[0]} (0.0.1 is locked), pytest {there[1]} (0.0.2 is locked)",
    ]


def test_a_wrong_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Law: without settings nothing can be looked at, so the setting is the answer."""
    monkeypatch.setenv("LOYALTY_API_PORT", "http")

    assert run(["doctor"]) == 1
    assert capsys.readouterr().err == 'loyalty: LOYALTY_API_PORT must be a port from 1024 to 65435, not "http"\n'


def test_the_doctor_is_quick_since_it_loads_no_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: what is asked of Prefect is asked by HTTP."""
    code = "import sys; from loyalty.cli import run; run(['doctor']); sys.exit('prefect' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0
    assert wanted()  # read as text

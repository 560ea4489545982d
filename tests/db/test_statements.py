"""Statements by name."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from loyalty.db import statements

HEADER = "-- does:   adds\n-- again:  reads only\n-- params: left bigint, right numeric(12, 2), at timestamptz\n"
SQL = HEADER + "select :left + :right as total, :at::timestamptz as at, 10 % 3 as rest, 'a:b' as colon -- done\n;\n"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A sql/ folder of the test's own with one statement in it."""
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "add.sql").write_text(SQL)
    (tmp_path / "steps" / "one.sql").write_text("-- does: one\n-- again: yes\n-- params: none\nselect 1\n")
    monkeypatch.setattr(statements, "SQL", tmp_path)
    statements.statement.cache_clear()
    statements.parameters.cache_clear()
    return tmp_path


def test_a_statement_is_the_file_below_its_header() -> None:
    """Law: the header is not sent, the name is, and a closing semicolon is not."""
    assert statements.statement("steps/one").text == "/* steps/one */ select 1"


def test_the_header_says_what_a_statement_takes() -> None:
    """Law: parameters keep their order and their whole types, commas in them too."""
    assert dict(statements.parameters("steps/add")) == {
        "left": "bigint",
        "right": "numeric(12, 2)",
        "at": "timestamptz",
    }
    assert dict(statements.parameters("steps/one")) == {}


def test_a_statement_runs_with_its_parameters(connection: Connection) -> None:
    """Law: casts, percent signs and colons in texts are not taken for parameters."""
    row = statements.run(connection, "steps/add", left=1, right=Decimal("2.50"), at="2026-01-01T00:00:00Z").one()
    assert tuple(row) == (Decimal("3.50"), datetime(2026, 1, 1, tzinfo=UTC), 1, "a:b")


@pytest.mark.parametrize("given", [{}, {"left": 1, "right": 2}, {"left": 1, "right": 2, "at": 3, "more": 4}])
def test_other_parameters_than_declared_are_a_mistake(connection: Connection, given: dict[str, int]) -> None:
    """Law: too few or too many parameters never reach the database."""
    with pytest.raises(TypeError) as caught:
        statements.run(connection, "steps/add", **given)
    assert str(caught.value) == f"steps/add takes ['at', 'left', 'right'], not {sorted(given)}"


def test_an_unknown_name_is_a_mistake() -> None:
    """Law: a statement that isn't there is told by its file."""
    with pytest.raises(LookupError) as caught:
        statements.statement("steps/none")
    assert caught.value.args == ("there is no statement steps/none (sql/steps/none.sql)",)

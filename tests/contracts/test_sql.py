"""Contracts of sql/: what each file must be, whatever it does. A new file is covered by being there."""

import re
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Connection

from loyalty.db import statements
from loyalty.db.statements import SQL

ROOT = SQL.parent
SCRIPTS = ("schema", "migrations")  # many statements each, run whole
FILES = sorted(path for path in SQL.rglob("*.sql") if path.relative_to(SQL).parts[0] not in SCRIPTS)
NAMES = [path.relative_to(SQL).with_suffix("").as_posix() for path in FILES]

# comments, texts, dollar-quoted bodies: what may hold capitals, semicolons and colons of its own
_QUOTED = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|(\$\w*\$).*?\1", re.DOTALL)
_HEADER = re.compile(
    r"-- does: {3}\S.*\n(?:-- {9}\S.*\n)*-- again: {2}\S.*\n(?:-- {9}\S.*\n)*-- params: (?P<params>\S.*)\n(?!--)"
)
_PARAM = re.compile(r"(?<![:\w]):([a-z]\w*)")
_CLOCK = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\("
    r"|\b(current_date|current_time|current_timestamp|localtime|localtimestamp)\b"
)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_statement_file_is_well_formed(path: Path) -> None:
    """Law: a header of does, again and params; one statement, in lower case; params are the placeholders used."""
    source = path.read_text(encoding="utf-8")
    header = _HEADER.match(source)
    assert header, "the header is three comments: `-- does:   `, `-- again:  `, `-- params: `"
    bare = _bare(source)
    assert bare.strip().rstrip(";").count(";") == 0, "one statement a file"
    assert re.findall(r"\b\w*[A-Z]\w*", bare) == [], "keywords and names are lower case"
    assert sorted(set(_PARAM.findall(bare))) == sorted(statements.parameters(_name(path)))


@pytest.mark.parametrize("path", sorted(SQL.rglob("*.sql")), ids=lambda path: path.relative_to(SQL).as_posix())
def test_no_rule_asks_the_servers_clock(path: Path) -> None:
    """Law: time is a parameter; nothing in sql/, functions' bodies included, asks what time it is."""
    source = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
    assert [found[0] for found in _CLOCK.finditer(source)] == []


def test_every_statement_is_accepted_by_the_server(connection: Connection) -> None:
    """Law: each statement fits the migrated schema and the types its header declares.

    The server prepares it; of those that it can't prepare, it runs what leaves no mark in an empty database.
    """
    refused = {}
    cursor = connection.connection.cursor()
    for name in NAMES:
        cursor.execute("savepoint before")
        try:
            cursor.execute(_prepare(name))
        except psycopg2.Error as error:
            refused[name] = str(error).partition("\n")[0]
        cursor.execute("rollback to before")
    assert refused == {}


def test_no_statement_is_left_over() -> None:
    """Law: a statement that no code names goes. Steps are named by their tasks, checks are run all."""
    folders = ("loyalty", "flows", "tasks", "deployments")
    code = "".join(path.read_text(encoding="utf-8") for folder in folders for path in (ROOT / folder).rglob("*.py"))
    looked_for = [name for name in NAMES if not name.startswith(("steps/", "checks/"))]
    assert [name for name in looked_for if not re.search(rf"\b{name.rpartition('/')[2]}\b", code)] == []


def _name(path: Path) -> str:
    return path.relative_to(SQL).with_suffix("").as_posix()


def _bare(source: str) -> str:
    """The SQL without comments, texts and quoted bodies."""
    return _QUOTED.sub(" ", source)


def _prepare(name: str) -> str:
    """The statement as `prepare` with a numbered parameter in each placeholder's place."""
    declared = list(statements.parameters(name).items())
    numbers = {parameter: f"${number}" for number, (parameter, _) in enumerate(declared, start=1)}
    body = statements.statement(name).text.partition("*/")[2].strip()
    body = _PARAM.sub(lambda found: numbers.get(found[1], found[0]), body)
    if re.match(r"(analyze|lock|truncate)\b", body):
        return body
    if re.match(r"(copy|vacuum)\b", body):  # needs a stream, or no transaction
        return "select"
    types = f"({', '.join(kind for _, kind in declared)})" if declared else ""
    return f'prepare "{name}" {types} as {body}'

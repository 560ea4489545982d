"""Statements by name: `steps/create_reward_voucher` is the file sql/steps/create_reward_voucher.sql.

A file holds one statement below a header of three comment lines: does, again, params. Placeholders are :name.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, CursorResult, TextClause, text

_PACKAGE = Path(__file__).parent.parent
# In a wheel the folder lies inside the package, in a checkout beside it.
SQL = next(place for place in (_PACKAGE / "sql", _PACKAGE.parent / "sql") if place.is_dir())
_PARAMS = re.compile(r"^-- params: *(?P<params>.+?) *$", re.MULTILINE)

_CAST = re.compile(r"(?<![:\w]):(\w+)::")  # text() sees no parameter in `:name::type`, but in `:name ::type`
_PLACEHOLDER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_COMMA = re.compile(r",(?![^(]*\))")  # but not the one in numeric(12, 2)


@cache
def statement(name: str) -> TextClause:
    """The statement of that name, ready to execute. LookupError if there is none: a mistake of ours."""
    # The name goes along as a comment: pg_stat_activity and the server's log then say what runs.
    return text(f"/* {name} */ " + _CAST.sub(r":\1 ::", _body(_source(name))))


@cache
def parameters(name: str) -> Mapping[str, str]:
    """What the header says the statement takes: parameter name to PostgreSQL type, in order."""
    found = _PARAMS.search(_source(name))
    if found is None:
        raise LookupError(f"sql/{name}.sql has no params line in its header")
    if found["params"] == "none":
        return MappingProxyType({})
    pairs = (pair.split(maxsplit=1) for pair in _COMMA.split(found["params"]))
    return MappingProxyType({pair[0]: pair[1] for pair in pairs})


def run(connection: Connection, name: str, /, **params: Any) -> CursorResult[Any]:
    """Execute a statement with exactly the parameters that its header names; TypeError for any others."""
    expected = parameters(name).keys()
    if params.keys() != expected:
        raise TypeError(f"{name} takes {sorted(expected)}, not {sorted(params)}")
    return connection.execute(statement(name), params)


def positional(name: str) -> str:
    """The statement with $1, $2 … for its parameters, in the order of its header: as PREPARE takes it."""
    numbers = {parameter: number for number, parameter in enumerate(parameters(name), start=1)}
    return f"/* {name} */ " + _PLACEHOLDER.sub(lambda found: f"${numbers[found[1]]}", _body(_source(name)))


def _source(name: str) -> str:
    path = SQL / f"{name}.sql"
    if not path.is_file():
        raise LookupError(f"there is no statement {name} (sql/{name}.sql)")
    return path.read_text(encoding="utf-8")


def _body(source: str) -> str:
    """The file without its header, and without a closing semicolon."""
    lines = source.splitlines(keepends=True)
    first = next((number for number, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return "".join(lines[first:]).strip().removesuffix(";")

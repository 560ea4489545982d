"""Migrations: sql/migrations/NNNN_what_it_does.sql, applied in order, each once and each in a transaction.

sql/schema/ is the state wanted, and a test proves that the migrations lead there. Migration 0001 is the schema files
of the first release, one after the other.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection, text

from loyalty.db.engine import translated
from loyalty.db.locks import advisory_lock
from loyalty.db.statements import SQL
from loyalty.errors import Refused

FOLDER = SQL / "migrations"
_FILE = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_LOCK = 7_001  # who migrates, migrates alone
_LOCK_TIMEOUT = "30s"  # a migration that waits for a table makes everybody behind it wait too


@dataclass(frozen=True)
class Migration:
    """One file. `number` counts from 1 without gaps."""

    number: int
    name: str
    path: Path

    @cached_property
    def script(self) -> str:
        """The statements, any number of them."""
        return self.path.read_text(encoding="utf-8")

    @property
    def sha256(self) -> str:
        """What tells one text from another."""
        return hashlib.sha256(self.script.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.number:04} {self.name.replace('_', ' ')}"


def shipped(folder: Path = FOLDER) -> list[Migration]:
    """The migrations of this release, in order. ValueError for a file or number out of line: a mistake of ours."""
    found = []
    for number, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        parts = _FILE.fullmatch(path.name)
        if parts is None or int(parts["number"]) != number:
            raise ValueError(f"{path.name} should be {number:04}_what_it_does.sql")
        found.append(Migration(number, parts["name"], path))
    return found


def migrate(connection: Connection, *, at: datetime, folder: Path = FOLDER) -> list[Migration]:
    """Apply what is missing and return it; an empty list says that nothing was to do.

    Commits after each migration; `connection` must not be in a transaction. `at` is recorded. Processes that
    migrate at once wait for each other. Raises Refused for a database whose migrations this release does not know
    or knows otherwise, Unavailable if a table stays locked by others.
    """
    with translated(), advisory_lock(connection, _LOCK):
        missing = _missing(connection, shipped(folder))
        for migration in missing:
            _apply(connection, migration, at)
        return missing


def pending(connection: Connection, folder: Path = FOLDER) -> list[Migration]:
    """What `migrate` would apply. Raises Refused as it does."""
    with translated():
        return _missing(connection, shipped(folder))


def _missing(connection: Connection, known: list[Migration]) -> list[Migration]:
    applied = _applied(connection)
    for number, (name, sha256) in applied.items():
        if number > len(known):
            told = f"{number:04} {name.replace('_', ' ')}"
            raise Refused(f"a newer release migrated this database ({told}): install that or a later one")
        if known[number - 1].sha256 != sha256:
            raise Refused(f"migration {known[number - 1]} is not the one that this database was migrated with")
    return [migration for migration in known if migration.number not in applied]


def _applied(connection: Connection) -> dict[int, tuple[str, str]]:
    """Number to name and hash of what the database has; nothing if it is empty."""
    with connection.begin():
        if connection.scalar(text("select to_regclass('loyalty.migrations')")) is None:
            return {}
        rows = connection.execute(text("select number, name, sha256 from loyalty.migrations order by number"))
        return {row.number: (row.name, row.sha256) for row in rows}


def _apply(connection: Connection, migration: Migration, at: datetime) -> None:
    with connection.begin():
        connection.execute(text(f"set local lock_timeout = '{_LOCK_TIMEOUT}'"))
        # The bare cursor takes a script of many statements, and leaves its % and : alone.
        connection.connection.cursor().execute(migration.script)
        connection.execute(
            text(
                "insert into loyalty.migrations (number, name, sha256, applied_at)"
                " values (:number, :name, :sha256, :at)"
            ),
            {"number": migration.number, "name": migration.name, "sha256": migration.sha256, "at": at},
        )

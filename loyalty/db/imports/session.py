"""A connection with an import's own temporary tables, and COPY into them.

COPY names columns of the file at hand, so its text is composed here; every other statement is in sql/imports/.
"""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, cast

import psycopg2
import psycopg2.extensions
from psycopg2 import sql
from sqlalchemy import Connection

from loyalty import clock
from loyalty.db.engine import connect
from loyalty.db.imports.csv_file import Block, Header
from loyalty.db.imports.records import Record, parse
from loyalty.db.statements import run
from loyalty.errors import NotMigrated


@dataclass
class Programme:
    """What an import needs of the programme, as it is when the import starts, and what it finds out on its way."""

    as_of: datetime
    zone: str
    currency: str
    starts_at: datetime
    first_tier: int
    recorded_before: bool = False  # whether a row of the file was found to be recorded already


class Session:
    """A connection of an import. It isn't given back to the pool: its temporary tables end with it."""

    def __init__(self, connection: Connection, kind: str, header: Header, programme: Programme) -> None:
        """Take a connection and make the tables for `kind`: transactions, members or rates."""
        self.connection = connection
        self.programme = programme
        self._columns = [column for column in header.columns if column]
        self._places = [place for place, column in enumerate(header.columns) if column]
        self._header = header
        ignored = [f"ignored_{number}" for number in range(1, header.columns.count(None) + 1)]
        names = iter(ignored)
        self._table = f"import_{kind}_raw"
        self._copy_lines = _copy_from(self._table, [column or next(names) for column in header.columns])
        self._copy_records = _copy_from(self._table, ["line", *self._columns])
        self._copy_rejects = _copy_from("import_rejects", ["line", "reason"])
        run(connection, "imports/configure_session", zone=programme.zone)
        run(connection, "imports/open_import", kind=kind, ignored=len(ignored))
        connection.commit()

    def stage(self, block: Block) -> None:
        """Copy a block's rows in as they stand, each with its line."""
        if block.records is not None:
            self._stage_records(block.records)
            return
        try:
            with self.connection.begin_nested():
                run(self.connection, "imports/number_lines", first_line=block.first_line)
                self.copy(self._copy_lines, io.BytesIO(block.data))
        except psycopg2.DataError:  # as many commas as there should be, but not in every row
            records, _ = parse(block.data, block.first_line, self._header, lambda: b"")
            self._stage_records(records)

    def _stage_records(self, records: list[Record]) -> None:
        good = ([record.line, *self._read(record)] for record in records if record.reason is None)
        bad = ([record.line, record.reason] for record in records if record.reason is not None)
        self.copy(self._copy_records, _csv(good))
        self.copy(self._copy_rejects, _csv(bad))

    def _read(self, record: Record) -> Iterator[str]:
        return (record.fields[place] for place in self._places)

    def take_over(self, other: "Session") -> None:
        """Take the refunds and rejects that the other session has kept."""
        for table in ("import_refunds", "import_rejects"):
            name = sql.Identifier(table)
            with tempfile.TemporaryFile() as rows:
                other.copy(sql.SQL("copy {} to stdout").format(name), rows)
                rows.seek(0)
                self.copy(sql.SQL("copy {} from stdin").format(name), rows)

    def copy(self, statement: sql.Composed, rows: BinaryIO) -> None:
        """Run a COPY from, or into, an open file."""
        with cast("psycopg2.extensions.cursor", self.connection.connection.cursor()) as cursor:
            cursor.copy_expert(statement, rows)


@contextmanager
def session(kind: str, header: Header, programme: Programme) -> Iterator[Session]:
    """A session for one import; it ends with the block. Raises what `connect` raises."""
    with connect() as connection:
        connection.detach()
        yield Session(connection, kind, header, programme)


def read_programme() -> Programme:
    """The programme as it is now. Raises NotMigrated when there is none yet."""
    as_of = clock.now()
    with connect() as connection:
        found = run(connection, "imports/programme", as_of=as_of).one_or_none()
    if found is None:
        raise NotMigrated("there is no programme to import into yet: run `loyalty migrate`")
    return Programme(as_of, found.time_zone, found.currency, found.starts_at, found.first_tier)


def _copy_from(table: str, columns: Iterable[str]) -> sql.Composed:
    return sql.SQL("copy {} ({}) from stdin with (format csv, encoding 'UTF8')").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def _csv(rows: Iterable[Iterable[object]]) -> io.BytesIO:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return io.BytesIO(text.getvalue().encode("utf-8"))

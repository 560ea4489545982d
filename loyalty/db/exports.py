"""Exports as CSV, streamed from the server by COPY: a table of any size passes through a few kilobytes of memory.

UTF-8, a header, lines ended by a line feed, quotes only where a value needs them. Equal data give equal bytes.
"""

from datetime import date
from typing import Any, BinaryIO, cast

import psycopg2.extensions
from sqlalchemy import Connection

from loyalty.db.engine import connect
from loyalty.db.statements import run, statement
from loyalty.errors import Refused
from loyalty.rules.periods import display_period

_CHUNK_BYTES = 1 << 16


def export_statements(period: date, out: BinaryIO) -> None:
    """Write a period's statements in byte order of customer_id. Raises Refused if the period is not closed."""
    with connect() as connection:
        found = run(connection, "closing/find_period", period=period).one()
        if found.state != "closed" and not (found.oldest_closed and period < found.oldest_closed):
            name = display_period(period)
            raise Refused(f"{name} is not closed and has no statements yet: `loyalty close {name}` makes them")
        copy_out(connection, "reads/export_statements", out, period=period, member_no=None)


def export_entries(out: BinaryIO) -> None:
    """Write all entries in order of entry_id."""
    with connect() as connection:
        copy_out(connection, "reads/export_entries", out, member_no=None, after=None, most=None)


def copy_out(connection: Connection, name: str, out: BinaryIO, **params: Any) -> None:
    """COPY takes no parameters, so the driver writes them into the text of the statement."""
    compiled = statement(name).compile(dialect=connection.dialect)
    with cast("psycopg2.extensions.cursor", connection.connection.cursor()) as cursor:
        query = cursor.mogrify(str(compiled), params).decode("utf-8")
        cursor.copy_expert(f"copy ({query}) to stdout with (format csv, header, encoding 'UTF8')", out, _CHUNK_BYTES)

"""Locks that outlast transactions: PostgreSQL's advisory locks, which the server frees when their holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

MERGING = 7_031_015
"""Held alone by a merge of members, shared by what records many transactions at once."""


@contextmanager
def advisory_lock(connection: Connection, number: int) -> Iterator[None]:
    """Hold lock `number` of this database on the connection's session, waiting for whoever has it.

    `connection` must not be in a transaction, and what stands open on it at the end is rolled back.
    """
    connection.execute(text("select pg_advisory_lock(:number)"), {"number": number})
    connection.commit()
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.rollback()
            connection.execute(text("select pg_advisory_unlock(:number)"), {"number": number})
            connection.commit()

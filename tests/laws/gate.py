"""A gate before a row: who writes the row waits there until it opens, so that a test knows where a process is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess

from sqlalchemy import Connection, text

from loyalty.db import engine

GATE = 4711  # the advisory lock that the row's trigger waits for
PATIENCE_S = 60


@contextmanager
def shut(table: str, row: str) -> Iterator[Connection]:
    """No new row of this table that fulfils the condition is written until the end of the context; gives the keeper."""
    with engine.transaction() as connection:
        connection.execute(
            text(
                "create or replace function loyalty.wait_at_gate() returns trigger language plpgsql as"
                f" 'begin perform pg_advisory_xact_lock({GATE}); return new; end'"
            )
        )
        connection.execute(
            text(
                f"create trigger gate before insert on loyalty.{table} for each row when ({row})"
                " execute function loyalty.wait_at_gate()"
            )
        )
    keeper = engine.engine().connect()
    try:
        keeper.execute(text(f"select pg_advisory_lock({GATE})"))
        keeper.commit()
        yield keeper
    finally:
        keeper.invalidate()  # ends the session, and with it the lock
        keeper.close()


def removed() -> None:
    """Take the gate away, once all who stood at it are through."""
    with engine.transaction() as connection:
        connection.execute(text("drop function loyalty.wait_at_gate cascade"))


def await_arrival(keeper: Connection, process: ForkServerProcess) -> None:
    """Wait until the process stands at the gate."""
    _await(
        keeper, process, f"select count(*) from pg_locks where locktype = 'advisory' and objid = {GATE} and not granted"
    )


def await_waiting(keeper: Connection, process: ForkServerProcess, statement: str) -> None:
    """Wait until the process waits for a lock in the statement of that name."""
    _await(
        keeper,
        process,
        f"select count(*) from pg_stat_activity where query like '/* {statement} */%' and wait_event_type = 'Lock'",
    )


def _await(keeper: Connection, process: ForkServerProcess, counting: str) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not keeper.scalar(text(counting)):
        keeper.rollback()
        assert process.is_alive(), f"the process ended before it came there, with {process.exitcode}"
        assert time.monotonic() < patience, "the process never came there"
        time.sleep(0.01)
    keeper.rollback()

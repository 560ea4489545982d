"""Statements waited for on an event loop: answered as elsewhere, and a connection that failed is not used again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import URL, text

from loyalty.db import engine
from loyalty.db.prepared import Prepared
from loyalty.errors import LoyaltyError, Unavailable

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
STANDING, GRANT = "till/standing", "grants/grant_points"
BACKENDS = text(
    "select count(*) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()"
    " and query like '%execute%'"
)
WRONG: dict[str, Any] = {"member_no": 1, "kind": "nonsense", "occasion": "x", "points": 1, "reason": None, "at": NOON}


def on_a_loop(work: Callable[[Prepared], Awaitable[Any]], connections: int = 2) -> Any:
    """What work gives that has so many connections at most."""

    async def through() -> Any:
        statements = Prepared((STANDING, GRANT), connections)
        try:
            return await work(statements)
        finally:
            statements.close()

    return asyncio.run(through())


def backends() -> int:
    """How many connections have executed a prepared statement."""
    with engine.connect() as connection:
        return int(connection.execute(BACKENDS).scalar_one())


async def standing(statements: Prepared, member_no: int = 1) -> Any:
    """Available, pending, owed … of a member who has nothing."""
    return await statements.one_or_none(STANDING, member_no=member_no, at=NOON)


def test_many_at_once_share_the_connections(database: URL) -> None:
    """Law: whoever finds no connection free waits for one; all are answered."""

    async def many(statements: Prepared) -> tuple[list[Any], int]:
        return list(await asyncio.gather(*(standing(statements, n) for n in range(50)))), await asyncio.to_thread(
            backends
        )

    answers, connections = on_a_loop(many, 3)

    assert {tuple(answer)[:3] for answer in answers} == {(0, 0, 0)}
    assert len(answers) == 50
    assert connections == 3


def test_a_refused_statement_leaves_the_connection_good(database: URL) -> None:
    """Law: what the database refuses is our error, and the next statement is answered over the same connection."""

    async def wrong_then_right(statements: Prepared) -> tuple[Any, int]:
        with pytest.raises(LoyaltyError, match="the database refused"):
            await statements.one_or_none(GRANT, **WRONG)
        return await standing(statements), await asyncio.to_thread(backends)

    answer, connections = on_a_loop(wrong_then_right)

    assert (tuple(answer)[:3], connections) == ((0, 0, 0), 1)


def test_a_lost_connection_is_told_once(database: URL) -> None:
    """Law: whoever meets a connection that the server has ended gets Unavailable; the next one a new connection."""

    async def ended(statements: Prepared) -> Any:
        await standing(statements)
        with engine.autocommit() as connection:
            connection.execute(
                text(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                    " where pid <> pg_backend_pid() and datname = current_database()"
                )
            )
        with pytest.raises(Unavailable):
            await standing(statements)
        return await standing(statements)

    assert tuple(on_a_loop(ended))[:3] == (0, 0, 0)


def test_a_statement_that_is_given_up_takes_its_connection_along(database: URL) -> None:
    """Law: after a cancelled wait nothing of it is answered to another, and no place is lost."""

    async def cancelled(statements: Prepared) -> list[Any]:
        with engine.transaction() as connection:
            connection.execute(text("lock table loyalty.accounts"))
            waits = asyncio.ensure_future(statements.one_or_none(GRANT, **WRONG | {"kind": "bonus"}))
            await asyncio.sleep(0.1)
            waits.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waits
        return [await standing(statements) for _ in range(3)]

    assert {tuple(answer)[:3] for answer in on_a_loop(cancelled, 1)} == {(0, 0, 0)}


def test_parameters_are_those_of_the_header(database: URL) -> None:
    """Law: a statement takes exactly the parameters that it names."""

    async def wrong(statements: Prepared) -> None:
        with pytest.raises(TypeError, match="till/standing takes"):
            await statements.one_or_none(STANDING, member_no=1)

    on_a_loop(wrong)

"""Statements for callers on an event loop: prepared once on each connection, and waited for without a thread.

A thread for each request costs more than what it waits for: two changes of threads, and the interpreter's lock. Here
the loop itself waits for the database's socket. Each statement is a transaction of its own.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg2
from psycopg2 import extensions

from loyalty.db.engine import CONNECT_SECONDS, check_version, connect_arguments, translated
from loyalty.db.statements import parameters, positional
from loyalty.errors import Unavailable

Connection = extensions.connection
Row = tuple[Any, ...]


class Prepared:
    """Some statements, by name, on so many connections at most, made as they are needed; for one event loop."""

    def __init__(self, names: Sequence[str], connections: int) -> None:
        """Name the statements. Nothing is connected yet."""
        self._names = names
        self._places = asyncio.Semaphore(connections)
        self._idle: list[Connection] = []

    async def one_or_none(self, name: str, /, **params: Any) -> Row | None:
        """Execute one of the statements, with the parameters of its header; its row, or None if it gives none.

        Raises what `engine.translated` says. Whoever is cancelled can't know whether it was done.
        """
        expected = parameters(name)
        if params.keys() != expected.keys():
            raise TypeError(f"{name} takes {sorted(expected)}, not {sorted(params)}")
        async with self._places:
            with translated():
                connection = self._idle.pop() if self._idle else await self._connect()
                try:
                    row = await _execute(connection, name, [params[each] for each in expected])
                except psycopg2.Error:  # of the statement: the connection is as good as before, unless it is lost
                    self._keep(connection)
                    raise
                except BaseException:
                    connection.close()
                    raise
                self._keep(connection)
                return row

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _keep(self, connection: Connection) -> None:
        if not connection.closed:
            self._idle.append(connection)

    async def _connect(self) -> Connection:
        """Connect, and prepare all statements."""
        # an embedded server that does not run is started, which takes a while
        arguments = await asyncio.to_thread(connect_arguments)
        connection: Connection = psycopg2.connect(**arguments, async_=True)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await _done(connection)
                check_version(connection)
                cursor = connection.cursor()  # while it works, the connection alone would not keep it
                for name in self._names:
                    types = ", ".join(parameters(name).values())
                    cursor.execute(f"prepare {_prepared(name)} ({types}) as {positional(name)}")
                    await _done(connection)
        except TimeoutError:
            connection.close()
            raise Unavailable(f"the database did not answer within {CONNECT_SECONDS} seconds") from None
        except BaseException:
            connection.close()
            raise
        return connection


async def _execute(connection: Connection, name: str, values: list[Any]) -> Row | None:
    cursor = connection.cursor()
    cursor.execute(f"execute {_prepared(name)} ({', '.join(['%s'] * len(values))})", values)
    await _done(connection)
    row: Row | None = cursor.fetchone()
    return row


def _prepared(name: str) -> str:
    return name.replace("/", "_")


async def _done(connection: Connection) -> None:
    """Wait until what the connection was asked to do is done."""
    while (state := connection.poll()) != extensions.POLL_OK:
        await _readable(connection.fileno()) if state == extensions.POLL_READ else await _writable(connection.fileno())


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(descriptor, _set, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


async def _writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(descriptor, _set, ready)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)

"""One request, one transaction: run again when the database asks for it, answered once per idempotency key."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection

from loyalty import clock
from loyalty.api.problems import problem_of
from loyalty.db import idempotency
from loyalty.db.engine import autocommit, transaction
from loyalty.db.idempotency import Answer, Request
from loyalty.db.prepared import Prepared
from loyalty.errors import BadInput, LoyaltyError, OtherContent, Refused, Unavailable

T = TypeVar("T")

_TRIES = 3
_PATIENCE_SECONDS = 3.0  # a deadlock is found after one


class _AtOnce:
    """The statements that the busiest endpoints wait for on the event loop itself; while it is closed, none are."""

    def __init__(self) -> None:
        self._statements: Prepared | None = None

    def open(self, connections: int) -> None:
        """Begin, for the event loop that runs: so many connections at most."""
        self._statements = Prepared(("inbox/take_purchase", "till/take_redemption"), connections)

    def close(self) -> None:
        """End: the longer way is left."""
        if self._statements is not None:
            self._statements.close()
            self._statements = None

    async def __call__(self, work: Callable[[Prepared], Awaitable[T | None]]) -> T | None:
        """Do work that is one statement. None where it takes more, or did not work: then the longer way is to be tried.

        Raises Refused and BadInput alone.
        """
        if self._statements is None:
            return None
        try:
            return await work(self._statements)
        except (Refused, BadInput):
            raise
        except LoyaltyError:  # the longer way tries again, keeps what it can't apply, and tells what is wrong
            return None


at_once = _AtOnce()


def in_transaction(work: Callable[[Connection], T]) -> T:
    """Do work in a transaction of its own, again after a deadlock or a connection that was found dead.

    Safe for whatever has a natural key: if the first commit did arrive, the second try finds its result.
    """

    def once() -> T:
        with transaction() as connection:
            return work(connection)

    return _patiently(once)


def alone(work: Callable[[Connection], T]) -> T:
    """Do work that is one statement: it is its own transaction, and costs one round trip."""

    def once() -> T:
        with autocommit() as connection:
            return work(connection)

    return _patiently(once)


def answered_once(request: Request | None, work: Callable[[Connection], Answer]) -> Answer:
    """Do work in a transaction and keep its answer; a repeat of the request gets that answer, and nothing is done.

    A refusal is an answer too: it is kept once the transaction is rolled back, unless another request with the
    same key was answered meanwhile; then that answer is everybody's.
    """
    if request is None:
        return in_transaction(work)

    def once(connection: Connection) -> Answer:
        first = idempotency.claim(connection, request, clock.now())
        if first is None:
            first = work(connection)
            idempotency.keep(connection, request, first)
        return first

    try:
        return in_transaction(once)
    except OtherContent:
        raise
    except Refused as refusal:
        problem = problem_of(refusal)
        refused = Answer(problem.status, problem.body())
    return in_transaction(lambda connection: _kept(connection, request, refused))


def _kept(connection: Connection, request: Request, refused: Answer) -> Answer:
    first = idempotency.claim(connection, request, clock.now())
    if first is None:
        first = refused
        idempotency.keep(connection, request, refused)
    return first


def _patiently(work: Callable[[], T]) -> T:
    until = time.monotonic() + _PATIENCE_SECONDS
    for _ in range(_TRIES - 1):
        try:
            return work()
        except Unavailable:
            if time.monotonic() > until:
                raise
    return work()

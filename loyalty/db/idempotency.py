"""First answers: the same idempotency key of the same API key gets the same answer, and has its effect once."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from loyalty.db.statements import run
from loyalty.errors import OtherContent

KEPT = timedelta(days=7)
"""How long a first answer is remembered."""
OF_RUNS = 0
"""In place of an API key's number, which are from 1 on: what a run of a flow did, under the run's id."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked under an idempotency key: whose, which, and the digest of method, path and content."""

    key_no: int
    idempotency_key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a body of JSON."""

    status: int
    body: str


def digest_of(*parts: str) -> bytes:
    """SHA-256 of texts, told apart from each other by their lengths."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogateescape")).digest()


def claim(connection: Connection, request: Request, now: datetime) -> Answer | None:
    """Take the key for this transaction, or give the first answer; waits for another who has just taken it.

    Raises OtherContent if the key came before with something else. An answer of status 0 says that what was asked is
    done, and that its own record gives the answer.
    """
    claimed = run(
        connection,
        "api/claim_answer",
        key_no=request.key_no,
        idempotency_key=request.idempotency_key,
        digest=request.digest,
        at=now,
    )
    if claimed.scalar_one_or_none() is not None:
        return None
    found = run(
        connection, "api/find_answer", key_no=request.key_no, idempotency_key=request.idempotency_key
    ).one_or_none()
    if found is None:  # forgotten between the two statements: a week old, so as good as never used
        return claim(connection, request, now)
    if bytes(found.digest) != request.digest:
        raise OtherContent("this Idempotency-Key came before with other content")
    return Answer(found.status or 0, found.body or "")


def keep(connection: Connection, request: Request, answer: Answer) -> None:
    """Keep the first answer, in the transaction that claimed the key and has the effect."""
    run(
        connection,
        "api/keep_answer",
        key_no=request.key_no,
        idempotency_key=request.idempotency_key,
        status=answer.status,
        body=answer.body,
    )


def forget(connection: Connection, now: datetime) -> int:
    """Forget first answers that were given longer ago than KEPT; how many."""
    return run(connection, "api/forget_answers", before=now - KEPT).rowcount

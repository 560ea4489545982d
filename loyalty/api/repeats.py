"""The header Idempotency-Key: which request this is, so that its repeat is known."""

import json
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Header, Request

from loyalty.api.bodies import REPEATED
from loyalty.api.problems import Problem
from loyalty.db import idempotency
from loyalty.db.api_keys import Key

BODY = "loyalty.body"
"""Where Front leaves the body it read."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=REPEATED,
        description="Your own text for this one request: sent again with the same content, it gets the first answer.",
        examples=["3f1c1a9e-8d57-4c8c-9d0e-6c2f1f0a7b55"],
    ),
]


Said = bytes
"""The body of a request, as it came."""


async def said(request: Request) -> Said:
    """A dependency: the body as it came."""
    return cast("bytes", request.scope[BODY])


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a repeat of a request has in common with it."""

    idempotency_key: str | None
    digest: bytes

    def of(self, caller: Key) -> idempotency.Request | None:
        """The request as it is remembered; None if it has no Idempotency-Key."""
        if self.idempotency_key is None:
            return None
        return idempotency.Request(caller.key_no, self.idempotency_key, self.digest)

    def needed(self, caller: Key) -> idempotency.Request:
        """The same where the header must be there. Raises the problem `idempotency-key-missing`."""
        request = self.of(caller)
        if request is None:
            raise Problem("idempotency-key-missing")
        return request


async def repeatable(request: Request, idempotency_key: IdempotencyKey = None) -> Repeat:
    """A dependency: the request's Idempotency-Key, and the digest of its method, path and body."""
    if idempotency_key is None:
        return Repeat(None, b"")
    content = _content(cast("bytes", request.scope[BODY]))
    return Repeat(idempotency_key, idempotency.digest_of(request.method, request.scope["path"], content))


def _content(body: bytes) -> str:
    """What a body says, however its JSON is laid out."""
    try:
        return json.dumps(json.loads(body), sort_keys=True)
    except ValueError:
        return body.decode("utf-8", "surrogateescape")

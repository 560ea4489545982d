"""Who calls: the key of a request, remembered for a few seconds, so that most requests ask the database nothing."""

import time
from collections import OrderedDict
from datetime import datetime
from typing import Any, cast

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.security.base import SecurityBase

from loyalty import clock
from loyalty.api.problems import Problem
from loyalty.api.work import alone, in_transaction
from loyalty.db import api_keys, throttles
from loyalty.db.api_keys import SCOPES, Key
from loyalty.db.throttles import Bucket

REMEMBERED_SECONDS = 5.0
"""A key that is revoked opens nothing any longer than this."""

_MOST = 10_000
_LONGEST = 200
CALLER = "loyalty.caller"

_known: OrderedDict[bytes, tuple[float, Key]] = OrderedDict()


class Needs(SecurityBase):
    """A dependency: the caller's key, which must have a scope. Front has found the key before."""

    def __init__(self, scope: str) -> None:
        """Ask for one of the SCOPES."""
        self.model = BearerModel(description="A key made by `loyalty keys create NAME --scope SCOPE`.")
        self.scheme_name = "key"
        self.scope = scope
        self._refusal = f"the key needs the scope {scope} ({SCOPES[scope]})"

    async def __call__(self, request: Request) -> Key:
        """Give the key. Raises the problem `forbidden`."""
        key = cast("Key", request.scope[CALLER])
        if not key.may(self.scope):
            raise Problem("forbidden", self._refusal)
        return key


def needs(scope: str) -> Any:
    """For an argument of an endpoint: the caller's key, which must have one of the SCOPES; OpenAPI says which."""
    return Security(Needs(scope), scopes=[scope])


def bearer(authorization: bytes | None) -> bytes:
    """The digest of the key in a header. Raises the problem `unauthorized`."""
    scheme, _, key = (authorization or b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(key.strip()) <= _LONGEST:
        raise _unauthorized()
    return api_keys.digest(key.strip())


def remembered(digest: bytes) -> Key | None:
    """The key with that digest, if this process has seen it a moment ago and it has not expired since."""
    found = _known.get(digest)
    if found is None or found[0] < time.monotonic() or _expired(found[1], clock.now()):
        return None
    return found[1]


def looked_up(digest: bytes) -> Key:
    """Ask the database for a key. Raises the problem `unauthorized` if there is no such key or it is over."""
    key = in_transaction(lambda connection: api_keys.find(connection, digest, clock.now()))
    if key is None:
        _known.pop(digest, None)
        raise _unauthorized()
    _known[digest] = (time.monotonic() + REMEMBERED_SECONDS, key)
    while len(_known) > _MOST:
        _known.popitem(last=False)
    return key


def check_rate(key: Key) -> None:
    """Count a request against the key's limit. Raises the problem `too-many-requests`."""
    limit = key.requests_per_minute
    if limit is None:
        return
    bucket = Bucket(f"key {key.key_no}", burst=float(limit), per_second=limit / 60)
    wait = alone(lambda connection: throttles.take(connection, bucket))
    if wait > 0:
        raise Problem("too-many-requests", headers={"Retry-After": str(int(wait) + 1)})


def _expired(key: Key, now: datetime) -> bool:
    return key.expires_at is not None and key.expires_at <= now


def _unauthorized() -> Problem:
    return Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="loyalty"'})

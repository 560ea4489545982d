"""Keys to the API. A key is 256 random bits, shown once; only its SHA-256 is kept.

A slow hash would protect a password that can be guessed. Nobody guesses 256 bits, so it would cost each request time
and protect nothing.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection

from loyalty.db.members import Row
from loyalty.db.statements import run
from loyalty.errors import BadInput, NotFound, Refused

SCOPES = MappingProxyType(
    {
        "all": "everything below",
        "members:read": "read members and their entries",
        "members:write": "enrol and change members",
        "members:export": "read all that is held on a person",
        "members:merge": "merge two members into one, and undo it",
        "members:erase": "erase people for good",
        "purchases": "record purchases and refunds",
        "redemptions": "quote, hold, commit and cancel redemptions",
        "vouchers": "validate, hold, redeem and release vouchers",
        "triggers": "record shares, check-ins and referrals",
        "adjustments": "adjust points by hand",
        "hooks": "subscribe to changes",
    }
)
_PREFIX = "loyalty_"  # lets scanners of published code find a key that should not be there
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is good: its number, its scopes, how many requests a minute it may make (None: any number)."""

    key_no: int
    scopes: frozenset[str]
    requests_per_minute: int | None
    expires_at: datetime | None

    def may(self, scope: str) -> bool:
        """Whether the key has a scope."""
        return scope in self.scopes or "all" in self.scopes


def digest(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def create(
    connection: Connection,
    name: str,
    scopes: Iterable[str],
    *,
    at: datetime,
    expires_at: datetime | None = None,
    requests_per_minute: int | None = None,
) -> str:
    """Make a key and give it: nothing shows it again. Raises Refused if a key of that name is in use."""
    given = sorted(set(scopes))
    if unknown := [scope for scope in given if scope not in SCOPES]:
        raise BadInput(f"there is no scope {unknown[0]}: choose from {', '.join(SCOPES)}")
    if expires_at is not None and expires_at <= at:
        raise BadInput("a key can't expire before it is made")
    key = _PREFIX + secrets.token_urlsafe(_BYTES)
    made = run(
        connection,
        "api/add_key",
        name=name,
        digest=digest(key),
        scopes=given,
        requests_per_minute=requests_per_minute,
        expires_at=expires_at,
        at=at,
    )
    if made.scalar_one_or_none() is None:
        raise Refused("a key of this name is in use: revoke it first, or choose another name")
    return key


def find(connection: Connection, key_digest: bytes, now: datetime) -> Key | None:
    """The key with that digest, if it is good now; that it is used is noted, to the minute."""
    found = run(connection, "api/find_key", digest=key_digest, at=now).one_or_none()
    if found is None:
        return None
    run(connection, "api/note_key_use", key_no=found.key_no, at=now)
    return Key(found.key_no, frozenset(found.scopes), found.requests_per_minute, found.expires_at)


def listed(connection: Connection) -> list[Row]:
    """All keys, oldest first, without what opens the door."""
    return [dict(row) for row in run(connection, "api/list_keys").mappings()]


def revoke(connection: Connection, name: str, *, at: datetime) -> None:
    """End the key of that name. Servers that run forget it within seconds. Raises NotFound if none is in use."""
    if run(connection, "api/revoke_key", name=name, at=at).scalar_one_or_none() is None:
        raise NotFound("no key of this name is in use")

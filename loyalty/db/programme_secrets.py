"""Secrets of a programme, made once and kept in its database: what its codes and hashes are keyed with."""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from loyalty.db.statements import run

Use = Literal["check_in", "traits", "unsubscribe"]
_BYTES = 32


def keyed_hash(connection: Connection, use: Use, text: str, now: datetime) -> bytes:
    """HMAC-SHA256 of a text with the programme's secret of that use, which is made where there is none."""
    return hmac.digest(made(connection, use, now), text.encode(), hashlib.sha256)


def made(connection: Connection, use: Use, now: datetime) -> bytes:
    """The programme's secret of that use, which is made where there is none, and never changes."""
    secret = run(connection, "triggers/made_secret", name=use, secret=secrets.token_bytes(_BYTES), at=now).scalar()
    if secret is None:  # another has just made it: the statement's own view is older
        return made(connection, use, now)
    return bytes(secret)

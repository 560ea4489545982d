"""`loyalty keys`: who may call the API."""

from argparse import Namespace

from loyalty import clock
from loyalty.commands.terminal import moment, say, say_json, say_list
from loyalty.db import api_keys
from loyalty.db.engine import transaction
from loyalty.db.members import Row
from loyalty.db.programme import check_ready

_HEADERS = ("key", "name", "scopes", "a minute", "created", "expires", "last used", "revoked")


def create(given: Namespace) -> int:
    """Make a key and show it: this once, alone on the last line."""
    zone = check_ready()
    expires = given.expires
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=zone)
    with transaction() as connection:
        key = api_keys.create(
            connection,
            given.name,
            given.scope,
            at=clock.now(),
            expires_at=expires,
            requests_per_minute=given.per_minute,
        )
    say(f"the key {given.name}, shown only now:", key)
    return 0


def revoke(given: Namespace) -> int:
    """End a key."""
    check_ready()
    with transaction() as connection:
        api_keys.revoke(connection, given.name, at=clock.now())
    say(f"the key {given.name} is revoked; servers that run forget it within seconds")
    return 0


def show(given: Namespace) -> int:
    """List all keys, without what opens the door."""
    check_ready()
    with transaction() as connection:
        rows = api_keys.listed(connection)
    if given.json:
        say_json(rows)
    else:
        say_list("keys", _HEADERS, map(_cells, rows), right=("key", "a minute"))
    return 0


def _cells(row: Row) -> list[object]:
    moments = [moment(row[name]) for name in ("created_at", "expires_at", "last_used_at", "revoked_at")]
    return [row["key_no"], row["name"], " ".join(row["scopes"]), row["requests_per_minute"], *moments]

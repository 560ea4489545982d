"""`loyalty messages unknown`: messages of which nobody knows whether they went out."""

from argparse import Namespace
from typing import Any

from loyalty import clock
from loyalty.commands.terminal import moment, remark, say, say_json, say_list
from loyalty.db import deliveries
from loyalty.db.deliveries import Settled
from loyalty.db.engine import transaction
from loyalty.db.programme import check_ready
from loyalty.errors import NotFound

_MOST = 1_000
_HEADERS = ("message", "kind", "member", "channel", "provider", "tried at", "tries", "reason")
_STATES: dict[str, Settled] = {"sent": "sent", "unsent": "queued", "dropped": "failed"}


def show(given: Namespace) -> int:
    """List them, the oldest first; where to look for one is in docs/messages.md."""
    check_ready()
    with transaction() as connection:
        rows = deliveries.unknown(connection, _MOST)
    if given.json:
        say_json([{"message": _name(row)} | row for row in rows])
    else:
        say_list("such messages", _HEADERS, map(_cells, rows), right=("tries",))
    if len(rows) == _MOST:
        remark(f"only the oldest {_MOST:,} are shown")
    return 0


def resolve(given: Namespace) -> int:
    """Record what a person found out of messages: all of them, or none if one is not unknown."""
    check_ready()
    now, state, reason = clock.now(), _STATES[given.outcome], f"{given.outcome}, says {given.by}"
    members = sorted({number for to_staff, number in given.messages if not to_staff})
    staff = sorted({number for to_staff, number in given.messages if to_staff})
    with transaction() as connection:
        settled = deliveries.settle(connection, members, state, now, reason=reason)
        told = deliveries.settle_staff(connection, staff, state, now, reason=reason)
        missing = [*sorted(set(members) - set(settled)), *(f"S{each}" for each in sorted(set(staff) - set(told)))]
        if missing:
            raise NotFound(f"message {missing[0]} is not unknown: nothing was changed")
    say(*(f"message {number}: {given.outcome}" for number in (*settled, *(f"S{each}" for each in told))))
    return 0


def _name(row: dict[str, Any]) -> str:
    return f"S{row['message_no']}" if row["to_staff"] else str(row["message_no"])


def _cells(row: dict[str, Any]) -> list[object]:
    names = ("kind", "member_no", "channel", "provider")
    return [_name(row), *(row[name] for name in names), moment(row["attempted_at"]), row["tries"], row["reason"]]

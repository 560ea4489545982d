"""`loyalty inbox`: events from outside that are not applied."""

import json
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress

from loyalty import clock
from loyalty.commands.terminal import moment, remark, say, say_json, say_list, table
from loyalty.db import inbox
from loyalty.db.engine import transaction
from loyalty.db.members import Row
from loyalty.db.programme import check_ready
from loyalty.errors import NotFound

_MOST = 1_000
_WHICH = {"waiting": "wait", "dead": "are dead", "dropped": "were dropped", "held": "are held"}
_HEADERS = ("event", "source", "id", "kind", "state", "received", "tries", "next try", "reason")


def show_list(given: Namespace) -> int:
    """List events that wait or are dead, or those in one state, the oldest first."""
    check_ready()
    states = [given.state] if given.state else ["waiting", "dead"]
    with transaction() as connection:
        rows = inbox.listed(connection, states, _MOST)
    if given.json:
        say_json(rows)
    else:
        what = f"events that {_WHICH.get(given.state, 'wait or are dead')}"
        say_list(what, _HEADERS, map(_cells, rows), right=("event", "tries"))
    if len(rows) == _MOST:
        remark(f"only the oldest {_MOST} are shown")
    return 0


def show(given: Namespace) -> int:
    """Show an event and what it said."""
    check_ready()
    with transaction() as connection:
        row = inbox.shown(connection, given.number)
    said = None if row["body"] is None else bytes(row["body"]).decode("utf-8", "replace")
    if given.json:
        say_json({**row, "body": said})
    else:
        say(*_lines(row), *_indented(said))
    return 0


def replay(given: Namespace) -> int:
    """Try events again, now, with all others that are due, and say what became of them."""
    from loyalty.api.appliers import drain  # noqa: PLC0415 - loads the API

    check_ready()
    now = clock.now()
    with transaction() as connection:
        asked = given.numbers or [row["event_no"] for row in inbox.listed(connection, ["waiting", "dead"], _MOST)]
        _all_found(asked, inbox.replay(connection, asked, now), "waits, is dead or was dropped")
    done = drain(now, max(_MOST, len(asked)))
    say(f"{done.applied} applied, {done.waiting} waiting, {done.dead} dead")
    return 0


def drop(given: Namespace) -> int:
    """Drop events for good, for a reason."""
    check_ready()
    with transaction() as connection:
        found = inbox.drop(connection, given.numbers, given.note, clock.now())
        _all_found(given.numbers, found, "waits or is dead")
    say(*(f"event {number} dropped" for number in given.numbers))
    return 0


def _all_found(asked: list[int], found: list[int], states: str) -> None:
    if missing := sorted(set(asked) - set(found)):
        raise NotFound(f"no event {missing[0]} {states}: nothing was changed")


def _cells(row: Row) -> list[object]:
    names = ("event_no", "source", "event_id", "kind", "state")
    received, next_try = moment(row["received_at"]), moment(row["next_try_at"])
    return [*(row[name] for name in names), received, row["tries"], next_try, row["reason"]]


def _lines(row: Row) -> list[str]:
    return table(("", ""), [(header, cell) for header, cell in zip(_HEADERS, _cells(row), strict=True)])[1:]


def _indented(said: str | None) -> Iterator[str]:
    """What an event said, laid out if it is JSON."""
    if said is None:
        yield "what it said is forgotten"
        return
    with suppress(ValueError):  # what is no JSON is shown as it came
        said = json.dumps(json.loads(said), ensure_ascii=False, indent=2)
    for line in said.splitlines():
        yield "  " + "".join(symbol if symbol.isprintable() else "?" for symbol in line)

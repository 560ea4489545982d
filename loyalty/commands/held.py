"""`loyalty held`: purchases, refunds and redemptions that break a limit, and wait for a person."""

from argparse import Namespace

from loyalty import clock
from loyalty.commands import inbox as events
from loyalty.commands.terminal import say
from loyalty.db import inbox
from loyalty.db.engine import transaction
from loyalty.db.programme import check_ready
from loyalty.errors import NotFound, Refused


def show_list(given: Namespace) -> int:
    """List what is held, the oldest first."""
    given.state = "held"
    return events.show_list(given)


def show(given: Namespace) -> int:
    """Show what is held and what it said."""
    return events.show(given)


def release(given: Namespace) -> int:
    """Have it done after all, and say what came of it; 1 if it could not be done any more."""
    from loyalty.api import appliers  # noqa: PLC0415 - loads the API

    check_ready()
    state = appliers.release(given.number, given.by, clock.now())
    if state == "dead":
        with transaction() as connection:
            why = inbox.shown(connection, given.number)["reason"]
        raise Refused(f"event {given.number} can't be done any more: {why}")
    say(f"event {given.number} {state}")
    return 0


def refuse(given: Namespace) -> int:
    """Refuse it for good, for a reason."""
    check_ready()
    with transaction() as connection:
        if not inbox.refuse(connection, given.number, given.by, given.note, clock.now()):
            raise NotFound(f"no event {given.number} is held")
    say(f"event {given.number} refused")
    return 0

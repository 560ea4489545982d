"""A person erased: the identity goes, the books stay under the member's number (docs/identity.md).

All of it is one transaction. Files that messages were delivered to are the caller's: `messages/erasure.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from loyalty.db import approvals, grants, redemptions
from loyalty.db.accrual import pay_debts
from loyalty.db.closing import CLOSING
from loyalty.db.engine import transaction
from loyalty.db.identity import find_member
from loyalty.db.locks import MERGING
from loyalty.db.scrubbing import scrub, words_of
from loyalty.db.statements import run
from loyalty.errors import NotFound, Refused
from loyalty.rules.periods import display_period


@dataclass(frozen=True, slots=True)
class MessageFile:
    """What names the file of a message: the day on which it was queued, its number, kind and channel."""

    queued_on: str
    message_no: int
    kind: str
    channel: str


@dataclass(frozen=True, slots=True)
class Erased:
    """Who was erased, by number; the points forfeited, below zero if owed; the files of their messages."""

    members: tuple[int, ...]
    points: int
    files: tuple[MessageFile, ...]


def erase(connection: Connection, customer_id: str, by: str, now: datetime) -> Erased:
    """Erase a person, with all members merged into it, in the name of `by`.

    The caller removes the files before the transaction ends. Raises NotFound for nobody, Refused for who is erased
    already and while a month is being closed.
    """
    stop_closing(connection)
    member_no = find_member(connection, customer_id=customer_id)
    if member_no is None:
        raise NotFound("there is no member with this customer_id")
    members = run(connection, "identity/find_family", member_no=member_no).scalar_one()
    run(connection, "identity/lock_members", members=members)
    files = tuple(MessageFile(**row) for row in run(connection, "identity/messages_of", members=members).mappings())
    settle(connection, members, now)
    for redemption in run(connection, "identity/held_redemptions", members=members).scalars().all():
        redemptions.cancel(connection, str(redemption), now)
    scrub(connection, words_of(connection, members), now)
    points = 0
    for member in members:
        points -= run(connection, "identity/forfeit", member_no=member, at=now).scalar_one()
        run(connection, "identity/forget", member_no=member, erased_by=by, at=now)
    approvals.close_decided(connection, now)
    return Erased(tuple(members), points, files)


def forfeit_left(now: datetime) -> int:
    """Forfeit what erased members have got since: a close rates what they bought before. How many members had any."""
    with transaction() as connection:
        members = run(connection, "identity/erased_with_points").scalars().all()
    for member in members:
        with transaction() as connection:
            run(connection, "identity/lock_members", members=[member])
            settle(connection, [member], now)
            run(connection, "identity/forfeit", member_no=member, at=now)
            approvals.close_decided(connection, now)
    return len(members)


def stop_closing(connection: Connection) -> None:
    """Keep closes and imports away until the transaction ends.

    Raises Refused while a month is being closed; waits for imports, which record some seconds at a time.
    """
    found = run(connection, "identity/stop_closing", lock=CLOSING).one()
    if not found.free:
        raise Refused("a month is being closed: try again when that is done")
    if found.broken_off is not None:
        raise Refused(f"the close of {display_period(found.broken_off)} was broken off: finish it first")
    run(connection, "identity/stop_recording", lock=MERGING)


def settle(connection: Connection, members: Sequence[int], now: datetime) -> None:
    """Record what time and earlier grants did to members whose accounts are locked; then their lots say all."""
    for member in members:
        one = {"first_member": member, "stop_member": member + 1}
        grants.post(connection, member, member + 1, now)
        run(connection, "till/release_lapsed", member_no=member, at=now)
        run(connection, "ledger/expire_lots", **one, as_of=now, recorded_at=now, closing=None)
        pay_debts(connection, member)

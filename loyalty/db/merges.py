"""Two members who are one person: merged, and that undone (docs/identity.md).

The kept member gets the other's transactions, lots with their dates, debts, identifiers and higher tier; exact sums add
up. Closed statements and entries stay where they are. All of it is the caller's transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from loyalty.db import approvals, identity
from loyalty.db.accrual import pay_debts
from loyalty.db.engine import transaction
from loyalty.db.erasure import settle, stop_closing
from loyalty.db.merged import Lost, follow
from loyalty.db.statements import run
from loyalty.errors import NotFound, Refused


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge, or undoing it, did.

    `points` went over, below zero if they were owed; `appeared` are those that the exact sums give together and not
    apart, below zero if they are gone; `transactions` is how many count for the other member now.
    """

    merge_no: int
    kept_no: int
    lost_no: int
    points: int
    appeared: int
    transactions: int


def merge(connection: Connection, keep: str, lose: str, by: str, now: datetime) -> Merged:
    """Merge the member with customer_id `lose` into that with `keep`, in the name of `by`.

    Raises NotFound for nobody, Refused for one and the same member, one merged already, an erased one, and while a
    month is being closed.
    """
    stop_closing(connection)
    if run(connection, "identity/is_merged", customer_id=lose).scalar_one_or_none():
        raise Refused("the member to be merged is merged already")
    kept, lost = (identity.find_member(connection, customer_id=name) for name in (keep, lose))
    if kept is None or lost is None:
        raise NotFound(f"there is no member with the customer_id to be {'kept' if kept is None else 'merged'}")
    if kept == lost:
        raise Refused("a member can't be merged into itself")
    run(connection, "identity/lock_members", members=[kept, lost])
    settle(connection, sorted((kept, lost)), now)
    done = run(connection, "identity/merge_members", kept=kept, lost=lost, merged_by=by, at=now).one()
    pay_debts(connection, kept)
    approvals.close_decided(connection, now)
    return Merged(done.merge_no, kept, lost, done.points, done.appeared, done.transactions)


def unmerge(connection: Connection, lose: str, by: str, now: datetime) -> Merged:
    """Undo the merge of the member with customer_id `lose`: its transactions and what is left of its lots go back.

    Raises NotFound where there is no such merge, Refused while a later one of the kept member stands, and while a
    month is being closed.
    """
    stop_closing(connection)
    found = run(connection, "identity/find_merge", customer_id=lose).one_or_none()
    if found is None:
        raise NotFound("there is no merge of a member with this customer_id")
    if found.later:
        raise Refused("the kept member was part of a later merge: undo that one first")
    members = [found.kept_no, found.lost_no]
    run(connection, "identity/lock_members", members=members)
    settle(connection, sorted(members), now)
    follow(connection, Lost(found.lost_no, found.kept_no), now)
    done = run(connection, "identity/unmerge_members", merge_no=found.merge_no, undone_by=by, at=now).one()
    for member in sorted(members):
        pay_debts(connection, member)
        phone = run(connection, "identity/phone_of", member_no=member).scalar_one()
        identity.keep_identifiers(connection, member, phone)
    return Merged(found.merge_no, found.kept_no, found.lost_no, done.points, done.appeared, done.transactions)


def follow_all(now: datetime) -> int:
    """Bring points that lost members have got since to the kept ones: lapsed holds gave them back. How many had any."""
    with transaction() as connection:
        lost = run(connection, "identity/lost_with_points").all()
    for each in lost:
        with transaction() as connection:
            run(connection, "identity/lock_members", members=[each.member_no, each.merged_into])
            settle(connection, [each.member_no], now)
            follow(connection, Lost(each.member_no, each.merged_into), now)
    return len(lost)

"""Upgrades that wait for a manager: listed, and decided once.

The decision, the facts it was made on, and all that follows from it (tier, voucher, gift, e-mail) are one database
transaction; the first decision wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, Row

from loyalty import clock
from loyalty.db.closing import Batch, Moves, apply_moves
from loyalty.db.engine import connect, transaction
from loyalty.db.rules_versions import read_version
from loyalty.db.statements import run
from loyalty.errors import BadInput, Refused, WrongUse

LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a review: `state` is approved, rejected or lapsed, `note` the reason."""

    review_no: int
    member_no: int
    period: date
    state: str
    note: str | None


def listed(state: str | None = "open") -> Sequence[Row[tuple[object, ...]]]:
    """The reviews in a state (None: all), the oldest first, as sql/reviews/list_reviews.sql gives them."""
    with connect() as connection:
        return run(connection, "reviews/list_reviews", state=state).all()


def approve(review_nos: Sequence[int], *, by: str, note: str | None = None) -> list[Decision]:
    """Approve open reviews by their numbers, in a manager's name; each takes effect now, or lapses with its reason.

    Raises BadInput for a number that is none, Refused if one is decided already or the name may not decide; then
    nothing is decided.
    """
    return _decide(review_nos, by=by, note=note, approve=True)


def reject(review_nos: Sequence[int], *, by: str, note: str) -> list[Decision]:
    """Reject open reviews: the tier stays, for the reason given. Raises as `approve` does."""
    if not note.strip():
        raise WrongUse("a rejection needs its reason: --note TEXT")
    return _decide(review_nos, by=by, note=note, approve=False)


def _decide(review_nos: Sequence[int], *, by: str, note: str | None, approve: bool) -> list[Decision]:
    if not by.strip():
        raise WrongUse("a decision is made in somebody's name: --by NAME")
    if note is not None and len(note) > LONGEST_NOTE:
        raise WrongUse(f"a note has at most {LONGEST_NOTE} characters")
    wanted = sorted(set(review_nos))
    now = clock.now()
    with transaction() as connection:
        terms = run(connection, "closing/find_terms_now", as_of=now).one()
        _check_approver(connection, terms.version, by)
        _check_open(connection, wanted)
        decided = run(
            connection,
            "reviews/decide_reviews",
            review_nos=wanted,
            approve=approve,
            decided_by=by,
            note=note,
            decided_at=now,
            version=terms.version,
        ).all()
        members = Batch(terms.first_member, terms.stop_member)
        for moved_at in {row.effective_at for row in decided if row.effective_at}:
            apply_moves(connection, _moves(moved_at, now, terms.version), members)
        return [Decision(row.review_no, row.member_no, row.period, row.state, row.note) for row in sorted(decided)]


def _moves(moved_at: datetime, now: datetime, version: int) -> Moves:
    return Moves(period=None, moved_at=moved_at, recorded_at=now, version=version)


def _check_approver(connection: Connection, version: int, by: str) -> None:
    approvers = read_version(connection, version).approvers
    if approvers and by not in approvers:
        raise Refused("that name is not among the approvers that the rules list")


def _check_open(connection: Connection, wanted: Sequence[int]) -> None:
    """Lock the reviews, and see that each is there and open."""
    found = {row.review_no: row for row in run(connection, "reviews/lock_reviews", review_nos=wanted)}
    missing = [number for number in wanted if number not in found]
    if missing:
        raise BadInput(f"there is no review {missing[0]}: see `loyalty reviews list`")
    decided = [row for row in found.values() if row.state != "open"]
    if decided:
        first = decided[0]
        raise Refused(f"review {first.review_no} is {first.state} already, by {first.decided_by}")

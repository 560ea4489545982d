"""Upgrades that wait for a manager: gathered into batches, listed, and decided once, batch by batch or one by one.

The decision, the facts it was made on, and all that follows from it (tier, voucher, gift, e-mail) are one database
transaction; the first decision wins.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from loyalty import clock
from loyalty.db import approvals
from loyalty.db.approvals import LONGEST_NOTE, Effect, State
from loyalty.db.closing import Batch, Moves, apply_moves
from loyalty.db.engine import connect, transaction
from loyalty.db.rules_versions import read_version
from loyalty.db.statements import run
from loyalty.errors import BadInput, LoyaltyError, Refused, WrongUse
from loyalty.rules.programme import Programme

MOST_IN_BATCH = 200  # what a form and a table can show and a person can look through
_GATHERING = 7_031_004  # the advisory lock of making batches


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a review: `state` is approved, rejected or lapsed, `note` the reason."""

    review_no: int
    member_no: int
    period: date
    state: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An upgrade of a batch, with what a manager needs to doubt it. Money is in minor units of `currency`.

    `sold`, `returned`, `largest`: the month's purchases, what came back in it, its largest purchase. `months_bought`:
    of the last twelve, of which the programme knows `months_known`. `rejected_in`: the month of an earlier rejection.
    """

    review_no: int
    member_no: int
    from_tier: str
    to_tier: str
    qualifying_points: int
    spend: int
    state: str
    decided_by: str | None
    note: str | None
    currency: str
    purchases: int
    sold: int
    returned: int
    largest: int
    months_bought: int
    months_known: int
    owed: int
    rejected_in: str | None


@dataclass(frozen=True, slots=True)
class _Terms:
    """Under what a decision is made: the rules of now, and which member numbers there are."""

    version: int
    members: Batch
    by: str
    at: datetime


def listed(state: str | None = "open") -> Sequence[Row[tuple[object, ...]]]:
    """The reviews in a state (None: all), the oldest first, as sql/reviews/list_reviews.sql gives them."""
    with connect() as connection:
        return run(connection, "reviews/list_reviews", state=state).all()


def batch(connection: Connection, approval_no: int) -> list[Upgrade]:
    """The upgrades of an approval, decided ones too, the most points first."""
    return [Upgrade(**row) for row in run(connection, "reads/reviews_of_approval", approval_no=approval_no).mappings()]


def gather(period: date | None = None) -> int:
    """Freeze the reviews that nobody was asked about into approvals, and queue the messages to managers; how many.

    Those of one period, as its close does once it has made them all; or of every closed period, as the daily flow does.
    """
    with transaction() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _GATHERING})
        gathered = run(connection, "reviews/gather_approvals", period=period, most=MOST_IN_BATCH).rowcount
        if gathered:
            now = clock.now()
            terms = run(connection, "closing/find_terms_now", as_of=now).one()
            approvals.tell_managers(connection, now, now, read_version(connection, terms.version))
        return gathered


def approve(review_nos: Sequence[int], *, by: str, note: str | None = None, code: str | None = None) -> list[Decision]:
    """Approve open reviews by their numbers, in a manager's name; each takes effect now, or lapses with its reason.

    Raises BadInput for a number that is none, Refused if one is decided already, the name may not decide or the code
    that the rules ask for is wrong; then nothing is decided.
    """
    return _decide(review_nos, by=by, note=note, code=code, approve=True)


def reject(review_nos: Sequence[int], *, by: str, note: str, code: str | None = None) -> list[Decision]:
    """Reject open reviews: the tier stays, for the reason given. Raises as `approve` does."""
    if not note.strip():
        raise WrongUse("a rejection needs its reason: --note TEXT")
    return _decide(review_nos, by=by, note=note, code=code, approve=False)


def decide_batch(connection: Connection, approval_no: int, decision: approvals.Decision) -> Effect:
    """What a decision of a batch brings: every review of it that is still open is decided, in the caller's transaction.

    Raises BadInput if one is left out that is not in the batch.
    """
    batch = run(connection, "reviews/lock_batch", approval_no=approval_no).all()
    strangers = sorted(set(decision.leave_out) - {row.member_no for row in batch})
    if strangers:
        raise BadInput(f"member {strangers[0]} is not in this batch")
    still_open = [row for row in batch if row.state == "open"]
    left_out = {row.review_no for row in still_open if row.member_no in decision.leave_out or not decision.approve}
    terms = _Terms(decision.version, Batch(*decision.members), decision.by, decision.at)
    decided = [
        *_settle(connection, sorted(left_out), terms, note=decision.note, approve=False),
        *_settle(
            connection,
            [row.review_no for row in still_open if row.review_no not in left_out],
            terms,
            note=decision.note if decision.approve and not decision.leave_out else None,
            approve=True,
        ),
    ]
    before = [row for row in batch if row.state != "open"]
    return Effect(_state(decided), _told(decided, before), tuple(sorted({row.period for row in batch})))


def _decide(review_nos: Sequence[int], *, by: str, note: str | None, code: str | None, approve: bool) -> list[Decision]:
    name = approvals.checked_name(by)
    if note is not None and len(note) > LONGEST_NOTE:
        raise WrongUse(f"a note has at most {LONGEST_NOTE} characters")
    wanted = sorted(set(review_nos))
    now = clock.now()
    with transaction() as connection:
        found = run(connection, "closing/find_terms_now", as_of=now).one()
        terms = _Terms(found.version, Batch(found.first_member, found.stop_member), name, now)
        rules = read_version(connection, terms.version)
        asked = _asked(connection, wanted, rules)

        def answer() -> list[Decision]:
            approvals.check_decider(asked, name, rules, code)
            _check_open(connection, wanted)
            return _settle(connection, wanted, terms, note=note, approve=approve)

        decided = approvals.taken(connection, asked, code, answer)
        if not isinstance(decided, LoyaltyError):
            approvals.close_decided(connection, now)
            return decided
    raise decided


def _asked(connection: Connection, review_nos: Sequence[int], rules: Programme) -> list[Row[Any]]:
    """The approvals of these reviews, locked before any review is: a decision of the whole batch does the same."""
    found = run(connection, "reviews/find_approvals", review_nos=review_nos).all()
    unasked = [row.review_no for row in found if row.approval_no is None]
    if unasked and rules.review_code:
        raise Refused(f"nobody has been sent a code for review {unasked[0]} yet: `loyalty expire` makes its batch")
    return approvals.lock(connection, [row.approval_no for row in found if row.approval_no is not None])


def _settle(
    connection: Connection, review_nos: Sequence[int], terms: _Terms, *, note: str | None, approve: bool
) -> list[Decision]:
    """Decide open reviews on their facts of now, and make the moves that follow."""
    decided = run(
        connection,
        "reviews/decide_reviews",
        review_nos=list(review_nos),
        approve=approve,
        decided_by=terms.by,
        note=note,
        decided_at=terms.at,
        version=terms.version,
    ).all()
    for moved_at in {row.effective_at for row in decided if row.effective_at}:
        moves = Moves(period=None, moved_at=moved_at, recorded_at=terms.at, version=terms.version)
        apply_moves(connection, moves, terms.members)
    return [Decision(row.review_no, row.member_no, row.period, row.state, row.note) for row in sorted(decided)]


def _state(decided: Iterable[Decision]) -> State:
    """The state of a batch: what came of most of its decision."""
    states = {decision.state for decision in decided}
    return "approved" if "approved" in states else "rejected" if "rejected" in states else "lapsed"


def _told(decided: Sequence[Decision], before: Sequence[Row[Any]]) -> str:
    """What came of a batch, in a line; whoever lapsed is named, by the reason."""
    states = Counter(decision.state for decision in decided)
    told = ", ".join(f"{states[state]:,} {state}" for state in ("approved", "rejected", "lapsed"))
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    for decision in sorted(decided, key=lambda each: each.member_no):
        if decision.state == "lapsed":
            reasons[decision.note or ""].append(f"M{decision.member_no}")
    lapsed = "; ".join(f"{reason}: {', '.join(members)}" for reason, members in reasons.items())
    earlier = f" ({len(before):,} of the batch were decided before)" if before else ""
    return f"{told}{f' ({lapsed})' if lapsed else ''}{earlier}"


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

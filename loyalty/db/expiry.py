"""What time alone does: points and vouchers that expired, warnings ahead, reviews past their deadline.

Reads treat all of it as gone at its instant; this only records it, so it is right however late it runs.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from loyalty import clock
from loyalty.db import approvals, erasure, merges, redemptions, reviews
from loyalty.db.closing import Batch, expire_points
from loyalty.db.engine import transaction
from loyalty.db.rules_versions import read_version
from loyalty.db.statements import parameters, run

_WARNINGS = ("outbox/warn_points_expiring", "outbox/warn_voucher_expiring")


@dataclass(frozen=True, slots=True)
class Expired:
    """What a daily expiry recorded: lots and their points, vouchers archived, reviews ended, warnings queued.

    `warnings` are those to members; `staff` are messages to managers about what waits for them.
    """

    lots: int
    points: int
    vouchers: int
    reviews: int
    warnings: int
    staff: int


def expire(as_of: datetime, *, warn: bool = True) -> Expired:
    """Record everything that is over at `as_of`, and queue warnings of what soon will be."""
    with transaction() as connection:
        terms = run(connection, "closing/find_terms_now", as_of=as_of).one()
    members = Batch(terms.first_member, terms.stop_member)
    recorded_at = clock.now()
    redemptions.release_lapsed(as_of)  # what comes back and has passed meanwhile expires below
    merges.follow_all(as_of)
    erasure.forfeit_left(as_of)
    lots, points = expire_points(members, as_of=as_of, recorded_at=recorded_at)

    def each(name: str) -> int:
        return _each(name, members, as_of=as_of, recorded_at=recorded_at, version=terms.version)

    done = Expired(
        lots=lots,
        points=points,
        vouchers=each("steps/remove_expired_vouchers"),
        reviews=each("reviews/lapse_overdue"),
        warnings=sum(map(each, _WARNINGS)) if warn else 0,
        staff=_keep_approvals(as_of, recorded_at, terms.version),
    )
    with transaction() as connection:
        connection.execute(text("set local default_statistics_target = 10"))
        run(connection, "ledger/analyze_books")
    return done


def _keep_approvals(as_of: datetime, recorded_at: datetime, version: int) -> int:
    """End what nobody decided in time, make batches of reviews nobody was asked about; the messages to managers."""
    reviews.gather()
    with transaction() as connection:
        rules = read_version(connection, version)
        approvals.end_overdue(connection, as_of, recorded_at, rules)
        return approvals.tell_managers(connection, as_of, recorded_at, rules)


def _each(name: str, members: Batch, **known: object) -> int:
    """Run a statement for one range of members after the other; the rows it changed."""
    rows = 0
    for part in members.ranges():
        given = known | {"first_member": part.first, "stop_member": part.stop}
        with transaction() as connection:
            rows += run(connection, name, **{wanted: given[wanted] for wanted in parameters(name)}).rowcount
    return rows

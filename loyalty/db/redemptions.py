"""Points spent: quoted, held for a checkout, committed, undone; or spent at once. In the caller's transaction.

A hold posts the debit at once, so that the points can neither be spent twice nor expire; one that ends without a commit
is undone as of its end. Points come back to the lots they came from, under their old dates. Where the rules send
receipts, the statement that commits queues one.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, Row

from loyalty.db import merged
from loyalty.db.accrual import pay_debts
from loyalty.db.engine import transaction
from loyalty.db.idempotency import Request
from loyalty.db.prepared import Prepared
from loyalty.db.statements import run
from loyalty.errors import BadInput, NotFound, Refused, TooFewPoints
from loyalty.rules.money import to_major

Purpose = Literal["money_off", "reward", "gift"]
State = Literal["held", "committed", "cancelled", "lapsed"]
SWEPT_AT_ONCE = 500  # members whose holds a sweep releases in one transaction

_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Quote:
    """What a member could redeem now. `worth` is money in major units; `refused` says why these points can't be.

    `left_today` is None where the rules set no cap.
    """

    points: int
    worth: Decimal
    currency: str
    balance: int
    available: int
    minimum: int
    step: int
    left_today: int | None
    refused: str | None


@dataclass(frozen=True, slots=True)
class Redemption:
    """Points spent or held. `held_until` ends the hold; `worth` is minor units of `currency`, the programme's.

    `balance` = available + pending - owed, as of now.
    """

    redemption_id: str
    member_no: int
    state: State
    points: int
    worth: int
    currency: str
    held_until: datetime | None
    balance: int
    available: int


def quote(connection: Connection, customer_id: str, points: int, now: datetime) -> Quote:
    """Say what these points would be worth, and whether they can be redeemed. Raises NotFound without such a member."""
    _judge(points)
    found = run(connection, "till/quote_redemption", customer_id=customer_id, points=points, at=now).one_or_none()
    if found is None:
        raise _no_member()
    return Quote(
        points=points,
        worth=to_major(found.worth, found.currency),
        currency=found.currency,
        balance=found.balance,
        available=found.available,
        minimum=found.minimum,
        step=found.step,
        left_today=found.left_today,
        refused=found.refused and _reason(found.refused, found),
    )


def hold(
    connection: Connection,
    customer_id: str,
    points: int,
    now: datetime,
    *,
    purpose: Purpose = "money_off",
    reference: str | None = None,
) -> Redemption:
    """Hold points for a checkout, for as long as the rules say. Raises as `redeem` does."""
    return _spend(connection, customer_id, points, now, purpose=purpose, reference=reference, held=True)


def redeem(
    connection: Connection,
    customer_id: str,
    points: int,
    now: datetime,
    *,
    purpose: Purpose = "money_off",
    reference: str | None = None,
) -> Redemption:
    """Spend points at once. `reference` is the order, the reward of the catalogue, or the gift to be sent.

    Raises Refused for more than are available or than the rules allow, NotFound without such a member, BadInput
    for no number of points and a gift without its name.
    """
    return _spend(connection, customer_id, points, now, purpose=purpose, reference=reference, held=False)


async def take(
    statements: Prepared,
    request: Request,
    customer_id: str,
    points: int,
    now: datetime,
    *,
    purpose: Purpose = "money_off",
    reference: str | None = None,
) -> str | None:
    """Spend points at once, by one statement that keeps the first answer with it; the body of that answer.

    None, with nothing done, if it takes more: the request was answered before, or the points can't be spent.
    """
    _check(points, purpose, reference)
    row = await statements.one_or_none(
        "till/take_redemption",
        key_no=request.key_no,
        idempotency_key=request.idempotency_key,
        digest=request.digest,
        customer_id=customer_id,
        points=points,
        purpose=purpose,
        reference=reference,
        at=now,
    )
    return None if row is None else row[0]


def commit(connection: Connection, redemption_id: str, now: datetime) -> Redemption:
    """Commit points that are held; again is the same. Raises Refused once the hold is over, NotFound for none."""
    found = run(connection, "till/commit_redemption", redemption_no=_number(redemption_id), at=now).one_or_none()
    made = _redemption(found)
    if made.state != "committed":
        raise Refused(f"the redemption is {made.state}: hold the points again")
    return made


def cancel(connection: Connection, redemption_id: str, now: datetime) -> Redemption:
    """Undo a redemption, held or committed; again is the same. Its points come back, and first pay what is owed.

    Raises Refused for a gift that has left the warehouse, NotFound for no redemption.
    """
    number = _number(redemption_id)
    lost = merged.of_redemption(connection, number)
    found = run(connection, "till/cancel_redemption", redemption_no=number, at=now).one_or_none()
    if found is not None and found.state == "gift_sent":
        raise Refused("the gift has left the warehouse: the redemption can't be undone")
    if found is not None and found.owes:
        pay_debts(connection, found.member_no)
    if lost is not None:
        merged.follow(connection, lost, now)
    return _redemption(found)


def find(connection: Connection, redemption_id: str, now: datetime) -> Redemption:
    """Read a redemption as it is now. Raises NotFound if there is none."""
    return _redemption(
        run(connection, "till/find_redemption", redemption_no=_number(redemption_id), at=now).one_or_none()
    )


def sweep(connection: Connection, now: datetime) -> int:
    """Release holds past their time-out, of points and of vouchers; of how many members and vouchers.

    Reads and debits treat them as over already: this only records it. At most SWEPT_AT_ONCE members at a time.
    """
    lapsed = run(connection, "till/members_with_lapsed_holds", at=now, most=SWEPT_AT_ONCE).scalars().all()
    for member_no in lapsed:
        release_lapsed_of(connection, member_no, now)
    vouchers: int = run(connection, "till/release_lapsed_vouchers", at=now).rowcount
    return len(lapsed) + vouchers


def release_lapsed_of(connection: Connection, member_no: int, now: datetime) -> None:
    """Release a member's holds past their time-out."""
    if run(connection, "till/release_lapsed", member_no=member_no, at=now).scalar_one():
        pay_debts(connection, member_no)


def end_holds(customer_id: str, now: datetime) -> None:
    """Give back what holds that are over kept of a customer's points, as any till's next step does."""
    with transaction() as connection:
        member_no = run(connection, "reads/member_found", customer_id=customer_id).scalar_one_or_none()
        if member_no is not None:
            release_lapsed_of(connection, member_no, now)


def release_lapsed(now: datetime) -> None:
    """Release all holds past their time-out, some members in a transaction: as often as it takes."""
    while True:
        with transaction() as connection:
            if sweep(connection, now) < SWEPT_AT_ONCE:
                return


def _spend(
    connection: Connection,
    customer_id: str,
    points: int,
    now: datetime,
    *,
    purpose: Purpose,
    reference: str | None,
    held: bool,
) -> Redemption:
    _check(points, purpose, reference)
    given = {"customer_id": customer_id, "points": points, "purpose": purpose, "reference": reference, "hold": held}
    found = run(connection, "till/redeem", **given, at=now).one()
    if found.state == "pay_first":
        pay_debts(connection, found.member_no)
        found = run(connection, "till/redeem", **given, at=now).one()
    if found.state == "unknown_customer":
        raise _no_member()
    if found.redemption_no is None:
        terms = run(connection, "till/quote_redemption", customer_id=customer_id, points=points, at=now).one()
        error = TooFewPoints if found.state == "too_few" else Refused
        raise error(_reason(found.state, terms))
    return _redemption(found)


def _check(points: int, purpose: Purpose, reference: str | None) -> None:
    _judge(points)
    if purpose == "gift" and not reference:
        raise BadInput("/reference: a gift needs its name")


def _judge(points: int) -> None:
    if not 0 < points < _MOST:
        raise BadInput("/points: must be a number above 0")


def _reason(refused: str, terms: Row[Any]) -> str:
    return {
        "below_minimum": f"at least {terms.minimum} points can be redeemed at once",
        "wrong_step": f"points are redeemed in steps of {terms.step}",
        "above_day_max": f"{terms.left_today} more points can be redeemed today",
        "too_few": f"too few points: {terms.available} are available",
    }[refused]


def _number(redemption_id: str) -> int:
    if not (redemption_id.isascii() and redemption_id.isdigit()) or int(redemption_id) > _MOST:
        raise _no_redemption()
    return int(redemption_id)


def _redemption(found: Row[Any] | None) -> Redemption:
    if found is None or found.redemption_no is None:
        raise _no_redemption()
    return Redemption(
        redemption_id=str(found.redemption_no),
        member_no=found.member_no,
        state=found.state,
        points=found.points,
        worth=found.worth,
        currency=found.currency,
        held_until=found.held_until,
        balance=found.balance,
        available=found.available,
    )


def _no_member() -> NotFound:
    return NotFound("there is no member with this customer_id")


def _no_redemption() -> NotFound:
    return NotFound("there is no such redemption")

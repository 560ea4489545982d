"""Purchases and refunds as they happen, each in the caller's transaction: recorded once, their points posted with them.

A purchase is rated by the view that a close rates by, and posts the difference of the running floor; where the rules
earn monthly it is recorded and posts nothing. A refund takes points by the very statement of a close, for one member.
No message is queued for a purchase: the customer stands at the till, and hears of the month when it closes. Of points
that a refund takes back the member is told where the rules send receipts.
"""

from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from sqlalchemy import Connection, Row

from loyalty.db import enrolment, referrals
from loyalty.db.statements import run
from loyalty.errors import BadInput, OtherContent, Refused, Waits

TILL_RUN = -1  # the run in whose working table the debit of one member stands while it is posted

_PIECES = ("tax", "shipping", "tip", "fee", "gift_card", "paid_with_points")
_WRONG = {
    "too_far_ahead": "/occurred_at: more than a day ahead",
    "too_early": "/occurred_at: before the programme starts",
    "no_such_currency": "/currency: not a currency code that is known",
    "too_fine": "/amount: too large, or with more decimals than the currency has",
    "other_currency": "/currency: not that of the sale",
}
_REFUSED = {
    "erased": "the member is erased",
    "unclaimed": "the customer did not register within claim_days of the purchase",
    "not_a_sale": "the original transaction is a refund",
    "other_customer": "the original transaction is another customer's",
    "too_much": "more would be refunded than was paid",
}


@dataclass(frozen=True, slots=True)
class Purchase:
    """A sale. Amounts are major units of `currency`, None for the programme's; the pieces are parts of `amount`.

    Without `occurred_at` it happens now. `discount` is information only.
    """

    transaction_id: str
    customer_id: str
    amount: Decimal
    occurred_at: datetime | None = None
    currency: str | None = None
    source: str = "default"
    tax: Decimal | None = None
    shipping: Decimal | None = None
    tip: Decimal | None = None
    fee: Decimal | None = None
    gift_card: Decimal | None = None
    paid_with_points: Decimal | None = None
    discount: Decimal | None = None
    channel: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money of a sale given back; `amount` is positive, in major units of the sale's currency.

    `customer_id` and `currency`, where they are given, must be the sale's.
    """

    transaction_id: str
    original_transaction_id: str
    amount: Decimal
    occurred_at: datetime | None = None
    source: str = "default"
    customer_id: str | None = None
    currency: str | None = None
    channel: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of a purchase or refund. `repeated`: it was recorded before, so that nothing was done.

    `points_posted` is below zero where points are taken; `balance` = available + pending - owed, as of now.
    """

    transaction_id: str
    member_no: int
    transaction_no: int
    points_posted: int
    balance: int
    tier: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Debit:
    """A debit of one member that stands in the working table of real time: its month, its entry's cause, the policy."""

    member_no: int
    period: date
    cause: int
    shortfall: str


def record_purchase(connection: Connection, purchase: Purchase, now: datetime) -> Posted:
    """Record a sale and, where the rules earn on purchase, post its points.

    Enrols a customer who is not known, unless the rules of that day enrol by registration only. Raises Waits, before
    anything is written, while such a customer is not registered, or there is no exchange rate for the sale's day;
    BadInput that names the field; OtherContent if the id was recorded with other content; Refused for a person who
    was erased or registered too late.
    """
    check_amounts(purchase)
    told = _told(purchase)
    referral_no = referrals.open_of(connection, purchase.customer_id)  # locks two accounts, so before all else
    answer = run(connection, "till/record_purchase", **told, at=now).one()
    if answer.state == "unknown_customer":
        enrolment.put_member(connection, purchase.customer_id, {}, now)
        answer = run(connection, "till/record_purchase", **told, at=now).one()
    if answer.state == "unregistered":
        until = run(connection, "till/claimed_until", happened_at=purchase.occurred_at or now).scalar_one()
        raise Waits("the customer is not registered", customer=purchase.customer_id, until=until)
    if answer.state == "no_rate":
        rate = (purchase.currency, purchase.occurred_at or now)
        raise Waits("there is no exchange rate for the day of the sale", rate=rate)
    if answer.state not in {"recorded", "repeated"}:
        _refuse(answer.state)
    if answer.owes:
        pay_debts(connection, answer.member_no)
    if referral_no is None or not referrals.settle(connection, [referral_no], now):
        return _posted(purchase.transaction_id, answer, answer.balance)
    return _posted(purchase.transaction_id, answer, balance(connection, answer.member_no, now))


def record_refund(connection: Connection, refund: Refund, now: datetime) -> Posted:
    """Record a refund of a sale of the same source and take back the sale's points, by its rate.

    Raises Waits, before anything is written, while its sale is not recorded (`waits_for` is the sale's id); BadInput
    that names the field; OtherContent if the id was recorded with other content; Refused if more would be refunded
    than was paid, or the original is no sale of this customer.
    """
    if refund.amount <= 0:
        raise BadInput("/amount: must be above 0")
    answer = run(connection, "till/record_refund", **_told(refund), at=now).one()
    if answer.state == "no_sale":
        raise Waits("the sale is not recorded yet", waits_for=refund.original_transaction_id)
    if answer.state not in {"recorded", "repeated"}:
        _refuse(answer.state)
    if answer.owes:
        pay_debts(connection, answer.member_no)
    if not answer.debit:
        return _posted(refund.transaction_id, answer, answer.balance)
    take(connection, Debit(answer.member_no, answer.period, -answer.transaction_no, answer.shortfall), now)
    taken = {"member_no": answer.member_no, "period": answer.period, "transaction_no": answer.transaction_no}
    run(connection, "outbox/queue_refund_taken_back", **taken, at=now)
    return _posted(refund.transaction_id, answer, balance(connection, answer.member_no, now))


def balance(connection: Connection, member_no: int, now: datetime) -> int:
    """What a member has at an instant: available + pending - owed."""
    standing = run(connection, "till/standing", member_no=member_no, at=now).one()
    return int(standing.balance)


def pay_debts(connection: Connection, member_no: int) -> None:
    """Pay what a member owes from what the lots hold; the caller holds the account."""
    run(connection, "ledger/pay_debts", first_member=member_no, stop_member=member_no + 1)


def take(connection: Connection, debit: Debit, now: datetime) -> None:
    """Post a debit that stands in the working table; what has expired by now is recorded first, so that it stays."""
    member = {"first_member": debit.member_no, "stop_member": debit.member_no + 1}
    run(connection, "ledger/expire_lots", **member, as_of=now, recorded_at=now, closing=None)
    run(
        connection,
        "ledger/take_points",
        **member,
        run_no=TILL_RUN,
        period=debit.period,
        rank=1,
        as_of=now,
        recorded_at=now,
        shortfall=debit.shortfall,
        revision=0,
    )
    run(connection, "ledger/settle_cause", **member, period=debit.period, cause=debit.cause)
    run(connection, "till/clear_debit", member_no=debit.member_no)


def check_amounts(purchase: Purchase) -> None:
    """Raise BadInput for amounts below zero, and for pieces that are more than the whole."""
    amounts = {name: getattr(purchase, name) for name in ("amount", *_PIECES, "discount")}
    below = [f"/{name}: must not be below 0" for name, amount in amounts.items() if amount is not None and amount < 0]
    if below:
        raise BadInput(below)
    if sum(amounts[name] or 0 for name in _PIECES) > purchase.amount:
        raise BadInput("/amount: the pieces of it are more than it")


def _told(what: Purchase | Refund) -> dict[str, Any]:
    """All that the statement takes but the time; None for what this kind doesn't have."""
    return {field.name: None for field in (*fields(Purchase), *fields(Refund))} | asdict(what)


def _refuse(state: str) -> NoReturn:
    if state == "other_content":
        raise OtherContent("the same transaction_id was recorded with other content")
    if state in _WRONG:
        raise BadInput(_WRONG[state])
    raise Refused(_REFUSED[state])


def _posted(transaction_id: str, answer: Row[Any], balance: int) -> Posted:
    return Posted(
        transaction_id=transaction_id,
        member_no=answer.member_no,
        transaction_no=answer.transaction_no,
        points_posted=answer.points,
        balance=balance,
        tier=answer.tier,
        repeated=answer.state == "repeated",
    )

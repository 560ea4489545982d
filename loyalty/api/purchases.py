"""Purchases: recorded as they happen, once, and their points posted with them."""

from datetime import datetime
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Response
from pydantic import Field
from sqlalchemy import Connection

from loyalty import clock
from loyalty.api import events, metrics
from loyalty.api.bodies import Body, Currency, Id, Instant, Label, Money, Source, Told
from loyalty.api.callers import needs
from loyalty.api.events import Applied, Outcome
from loyalty.api.repeats import Repeat, Said, repeatable, said
from loyalty.api.responses import Waiting, differs, of_event, problems
from loyalty.api.work import at_once
from loyalty.db import accrual, inbox, velocity
from loyalty.db.api_keys import Key
from loyalty.db.inbox import Event
from loyalty.db.velocity import Deed

KIND = "purchase"

router = APIRouter(prefix="/v1/purchases", tags=["purchases"])
Seller = Annotated[Key, needs("purchases")]


class Purchase(Body):
    """A sale. `amount` is what was paid after discounts; the pieces are parts of it, `discount` information only."""

    transaction_id: Id = Field(description="Your own id of the sale, unique in its source.", examples=["T1"])
    customer_id: Id = Field(description="Who bought; the rules say whether that enrols.", examples=["C1"])
    amount: Money = Field(description="What was paid, after discounts.", examples=["99.90"])
    occurred_at: Instant | None = Field(
        None, description="When it happened; left out: now.", examples=["2026-03-01T10:00:00Z"]
    )
    currency: Currency | None = Field(None, description="ISO 4217; left out: the programme's.", examples=["USD"])
    source: Source = Field("default", description="Which of your systems gives the ids.")
    tax: Money | None = Field(None, description="The tax in the amount.", examples=["7.90"])
    shipping: Money | None = Field(None, description="The shipping in the amount.", examples=["2.00"])
    tip: Money | None = Field(None, description="The tip in the amount.")
    fee: Money | None = Field(None, description="The fees in the amount.")
    gift_card: Money | None = Field(None, description="Gift cards bought, in the amount.")
    paid_with_points: Money | None = Field(None, description="The part paid with points or vouchers.")
    discount: Money | None = Field(None, description="What was taken off before; information only.")
    channel: Label | None = Field(None, description="How it was sold.", examples=["store"])
    location: Label | None = Field(None, description="Where it was sold.", examples=["Berlin 3"])
    till: Label | None = Field(None, description="For limits: which till.", examples=["Berlin 3/2"])
    staff: Label | None = Field(None, description="For limits: a handle, no name.", examples=["bob"])


class PurchasePosted(Told):
    """What a purchase brought. Where the rules earn monthly, its points are posted when the month closes."""

    transaction_id: str = Field(examples=["T1"])
    points_posted: int = Field(examples=[9])
    balance: int = Field(
        description="Right after this purchase, and the refunds that had waited for it.", examples=[129]
    )
    tier: str = Field(examples=["Bronze"])


@router.post(
    "",
    status_code=201,
    response_model=PurchasePosted,
    responses=problems("refused", "other-content")
    | {
        200: {"model": PurchasePosted, "description": "It was recorded before: the first answer"},
        202: {
            "model": Waiting,
            "description": "It is kept until the customer registers, there is a rate, or a person has seen it",
            **differs(transaction_id="T1", reason="the customer is not registered"),
        },
    },
    summary="Record a purchase",
)
async def record_purchase(
    purchase: Purchase,
    _caller: Seller,
    body: Annotated[Said, Depends(said)],
    repeat: Annotated[Repeat, Depends(repeatable)],
) -> Response:
    """Record a sale once, by its source and transaction_id, and post the points that it brings."""
    now = clock.now()
    event = Event(purchase.source, purchase.transaction_id, KIND, purchase.digest(), body, now)
    outcome = None if repeat.idempotency_key else await _at_once(purchase, event, now)
    if outcome is None:
        outcome = await to_thread.run_sync(events.arrive, event, repeat.of(_caller))
        metrics.points_of_event(KIND, outcome)
    return of_event(purchase.transaction_id, outcome)


async def _at_once(purchase: Purchase, event: Event, now: datetime) -> Outcome | None:
    """Record by a single statement, which nearly all purchases allow; None for those that take more."""
    given = _sold(purchase)
    accrual.check_amounts(accrual.Purchase(**given))
    taken = await at_once(lambda statements: inbox.take_purchase(statements, event, given, now))
    if taken is None:
        return None
    metrics.points_posted(KIND, taken.points)
    return Outcome("applied", taken.answer)


def apply(connection: Connection, event: Event, now: datetime) -> Applied:
    """Record the sale that an event tells of; the applier of its kind."""
    told = Purchase.read(event.body)
    given = _sold(told)
    if given["occurred_at"] is None and event.tries:
        given["occurred_at"] = event.received_at  # when it came, not when it could be recorded
    posted = accrual.record_purchase(connection, accrual.Purchase(**given), now)
    if not posted.repeated:
        at = min(given["occurred_at"] or now, now)
        deed = Deed("earn", posted.member_no, posted.points_posted, at, told.till, told.staff, told.location)
        velocity.count(connection, deed, released=event.released)
    answer = PurchasePosted(
        transaction_id=posted.transaction_id,
        points_posted=posted.points_posted,
        balance=posted.balance,
        tier=posted.tier,
    )

    def with_refunds() -> str:
        balance = accrual.balance(connection, posted.member_no, now)
        return answer.model_copy(update={"balance": balance}).model_dump_json()

    return Applied(answer.model_dump_json(), posted.transaction_id, repeated=posted.repeated, answer_now=with_refunds)


def _sold(purchase: Purchase) -> dict[str, Any]:
    """What is recorded of it."""
    return {name: value for name, value in purchase.given().items() if name not in {"till", "staff"}}

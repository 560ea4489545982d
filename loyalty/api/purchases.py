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
from loyalty.api.callers import Needs
from loyalty.api.events import Applied, Outcome
from loyalty.api.repeats import Repeat, Said, repeatable, said
from loyalty.api.responses import PROBLEMS, Waiting, of_event
from loyalty.api.work import at_once
from loyalty.db import accrual, inbox, velocity
from loyalty.db.api_keys import Key
from loyalty.db.inbox import Event
from loyalty.db.velocity import Deed

KIND = "purchase"

router = APIRouter(prefix="/v1/purchases", tags=["purchases"], responses=PROBLEMS)
Seller = Annotated[Key, Depends(Needs("purchases"))]


class Purchase(Body):
    """A sale. `amount` is what was paid after discounts; the pieces are parts of it, `discount` information only."""

    transaction_id: Id = Field(description="Your own id of the sale, unique in its source.", examples=["T1"])
    customer_id: Id = Field(description="Who bought; the rules say whether that enrols.", examples=["C1"])
    amount: Money = Field(examples=["99.90"])
    occurred_at: Instant | None = Field(None, description="When it happened; left out: now.")
    currency: Currency | None = Field(None, description="ISO 4217; left out: the programme's.", examples=["USD"])
    source: Source = Field("default", description="Which of your systems gives the ids.")
    tax: Money | None = None
    shipping: Money | None = None
    tip: Money | None = None
    fee: Money | None = None
    gift_card: Money | None = None
    paid_with_points: Money | None = None
    discount: Money | None = None
    channel: Label | None = Field(None, examples=["store"])
    location: Label | None = Field(None, examples=["Berlin 3"])
    till: Label | None = Field(None, description="For limits: which till.", examples=["Berlin 3/2"])
    staff: Label | None = Field(None, description="For limits: a handle, no name.", examples=["bob"])


class PurchasePosted(Told):
    """What a purchase brought. Where the rules earn monthly, its points are posted when the month closes."""

    transaction_id: str = Field(examples=["T1"])
    points_posted: int = Field(examples=[9])
    balance: int = Field(description="Right after this purchase.", examples=[129])
    tier: str = Field(examples=["Bronze"])


@router.post(
    "",
    status_code=201,
    response_model=PurchasePosted,
    responses={
        200: {"model": PurchasePosted, "description": "It was recorded before: the first answer"},
        202: {"model": Waiting, "description": "It is kept until the customer registers, or there is an exchange rate"},
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
    return Applied(answer.model_dump_json(), posted.transaction_id)


def _sold(purchase: Purchase) -> dict[str, Any]:
    """What is recorded of it."""
    return {name: value for name, value in purchase.given().items() if name not in {"till", "staff"}}

"""Refunds: money of a sale given back, and its points taken back; in any order with the sale."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field
from sqlalchemy import Connection

from loyalty import clock
from loyalty.api import events, metrics
from loyalty.api.bodies import Body, Currency, Id, Instant, Label, Money, Source, Told
from loyalty.api.events import Applied
from loyalty.api.purchases import Seller
from loyalty.api.repeats import Repeat, Said, repeatable, said
from loyalty.api.responses import Waiting, of_event, problems
from loyalty.db import accrual, velocity
from loyalty.db.inbox import Event

KIND = "refund"

router = APIRouter(prefix="/v1/refunds", tags=["purchases"])


class Refund(Body):
    """Money of a sale given back: all of it or a part, once or several times, up to what was paid."""

    transaction_id: Id = Field(description="Your own id of the refund, unique in its source.", examples=["R1"])
    original_transaction_id: Id = Field(description="The sale, of the same source.", examples=["T1"])
    amount: Annotated[Money, Field(gt=0)] = Field(description="Above 0, in the sale's currency.", examples=["10.00"])
    occurred_at: Instant | None = Field(
        None, description="When it happened; left out: now.", examples=["2026-03-01T10:00:00Z"]
    )
    source: Source = Field("default", description="The sale's.")
    customer_id: Id | None = Field(None, description="If given, it must be the sale's.", examples=["C1"])
    currency: Currency | None = Field(None, description="If given, it must be the sale's.", examples=["USD"])
    channel: Label | None = Field(None, description="How it was given back.")
    location: Label | None = Field(None, description="Where it was given back.")


class RefundPosted(Told):
    """What a refund took."""

    transaction_id: str = Field(examples=["R1"])
    points_posted: int = Field(description="Below 0 where points were taken.", examples=[-1])
    balance: int = Field(description="Right after this refund.", examples=[128])
    tier: str = Field(examples=["Bronze"])


@router.post(
    "",
    status_code=201,
    response_model=RefundPosted,
    responses=problems("refused", "other-content")
    | {
        200: {"model": RefundPosted, "description": "It was recorded before, or since it waited: its result"},
        202: {"model": Waiting, "description": "It is kept until its sale comes, or a person has seen it"},
    },
    summary="Record a refund",
)
def record_refund(
    refund: Refund,
    _caller: Seller,
    body: Annotated[Said, Depends(said)],
    repeat: Annotated[Repeat, Depends(repeatable)],
) -> Response:
    """Record a refund once, by its source and transaction_id, and take back the points of what is refunded."""
    event = Event(refund.source, refund.transaction_id, KIND, refund.digest(), body, clock.now())
    outcome = events.arrive(event, repeat.of(_caller))
    metrics.points_of_event(KIND, outcome)
    return of_event(refund.transaction_id, outcome)


def apply(connection: Connection, event: Event, now: datetime) -> Applied:
    """Record the refund that an event tells of; the applier of its kind."""
    given = Refund.read(event.body).given()
    if given["occurred_at"] is None and event.tries:
        given["occurred_at"] = event.received_at  # when it came, not when it could be recorded
    posted = accrual.record_refund(connection, accrual.Refund(**given), now)
    if not posted.repeated:
        velocity.after_redemption(connection, posted.member_no, now, released=event.released)
    answer = RefundPosted(
        transaction_id=posted.transaction_id,
        points_posted=posted.points_posted,
        balance=posted.balance,
        tier=posted.tier,
    )
    return Applied(answer.model_dump_json(), repeated=posted.repeated)

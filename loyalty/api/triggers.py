"""Points for more than purchases: shares, check-ins with the code of a location, referrals."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field, StringConstraints
from sqlalchemy import Connection

from loyalty import clock
from loyalty.api import metrics
from loyalty.api.bodies import KEPT_HASHED, Body, Id, Line, Told, Trait
from loyalty.api.callers import needs
from loyalty.api.repeats import Repeat, repeatable
from loyalty.api.responses import problems, response
from loyalty.api.work import answered_once
from loyalty.db import check_ins, referrals, triggers
from loyalty.db.api_keys import Key
from loyalty.db.idempotency import Answer

router = APIRouter(prefix="/v1", tags=["triggers"])
Caller = Annotated[Key, needs("triggers")]
Again = Annotated[Repeat, Depends(repeatable)]


class Share(Body):
    """Who shared, and where."""

    customer_id: Id = Field(examples=["C1"])
    channel: Annotated[Line, StringConstraints(max_length=30)] = Field(
        description="One of those that the rules list.", examples=["instagram"]
    )


class CheckIn(Body):
    """Who is there, and the code that the location shows."""

    customer_id: Id = Field(examples=["C1"])
    code: Annotated[Line, StringConstraints(max_length=100)] = Field(
        description="What the QR code says.", examples=["LOYALTY:1:20260301:ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    )


class Referring(Body):
    """Who brought whom. A card, an address or a device are the referred member's."""

    referrer: Id = Field(description="customer_id of the member who refers.", examples=["C1"])
    referred: Id = Field(description="customer_id of the member who came.", examples=["C2"])
    card: Trait | None = Field(None, description=f"A payment card. {KEPT_HASHED}")
    address: Trait | None = Field(None, description=f"A postal address. {KEPT_HASHED}")
    device: Trait | None = Field(None, description=f"The id of a device. {KEPT_HASHED}")


class PointsGiven(Told):
    """Points given. `balance` is the member's, right after it."""

    points_posted: int = Field(examples=[10])
    balance: int = Field(examples=[130])


class CheckedIn(PointsGiven):
    """A check-in that counts. `day` is that of the code."""

    location: str = Field(examples=["Berlin 3"])
    day: date = Field(description="Of the code.", examples=["2026-03-01"])


class ReferralMade(Told):
    """A referral that was recorded: what each side is given once the referred member has bought."""

    referral_id: str = Field(examples=["1"])
    referrer_points: int = Field(examples=[50])
    referred_points: int = Field(examples=[25])


@router.post(
    "/shares",
    status_code=201,
    response_model=PointsGiven,
    summary="Record that a member shared",
    responses=problems("not-found", "refused", "already-given", "other-content"),
)
def share(told: Share, caller: Caller, repeat: Again) -> Response:
    """Give points for sharing: once a day and channel, `already-given` after that."""
    posted: list[int] = []

    def give(connection: Connection) -> Answer:
        given = triggers.share(connection, told.customer_id, told.channel, clock.now())
        posted[:] = [given.points]
        return Answer(201, PointsGiven(points_posted=given.points, balance=given.balance).model_dump_json())

    answer = answered_once(repeat.of(caller), give)
    metrics.points_posted("share", sum(posted))
    return response(answer)


@router.post(
    "/check-ins",
    status_code=201,
    response_model=CheckedIn,
    summary="Check a member in at a location",
    responses=problems("not-found", "refused", "already-given", "other-content"),
)
def check_in(told: CheckIn, caller: Caller, repeat: Again) -> Response:
    """Give points for the code that a location shows: once a day and location, `already-given` after that.

    A code is good on its day, and for the grace that the rules leave; then it is refused.
    """
    posted: list[int] = []

    def give(connection: Connection) -> Answer:
        done = check_ins.check_in(connection, told.customer_id, told.code, clock.now())
        posted[:] = [done.given.points]
        answer = CheckedIn(
            points_posted=done.given.points, balance=done.given.balance, location=done.location, day=done.day
        )
        return Answer(201, answer.model_dump_json())

    answer = answered_once(repeat.of(caller), give)
    metrics.points_posted("check_in", sum(posted))
    return response(answer)


@router.post(
    "/referrals",
    status_code=201,
    response_model=ReferralMade,
    summary="Record that a member brought another",
    responses=problems("not-found", "refused", "already-given", "other-content"),
)
def refer(told: Referring, caller: Caller, repeat: Again) -> Response:
    """Record a referral; both sides are given points once, when the referred member has bought.

    Refused if the two share a card, an address, a device, an e-mail address or a phone number.
    """
    traits = {name: text for name in triggers.TRAITS if (text := getattr(told, name)) is not None}

    def record(connection: Connection) -> Answer:
        made = referrals.refer(connection, told.referrer, told.referred, clock.now(), traits)
        answer = ReferralMade(
            referral_id=str(made.referral_no),
            referrer_points=made.referrer_points,
            referred_points=made.referred_points,
        )
        return Answer(201, answer.model_dump_json())

    return response(answered_once(repeat.of(caller), record))

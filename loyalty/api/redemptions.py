"""Redemptions: points spent at once, or held for a checkout and then committed or given back."""

from datetime import datetime
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field
from sqlalchemy import Connection
from starlette.convertors import StringConvertor, register_url_convertor

from loyalty import clock
from loyalty.api import metrics
from loyalty.api.bodies import NUMBER, Body, Id, Label, Nothing, Points, Told
from loyalty.api.callers import needs
from loyalty.api.events import Applied
from loyalty.api.held import HeldTold, answered_or_held, event_of
from loyalty.api.repeats import Repeat, Said, repeatable, said
from loyalty.api.responses import differs, problems, response
from loyalty.api.work import answered_once, at_once, in_transaction
from loyalty.db import redemptions, velocity
from loyalty.db.api_keys import Key
from loyalty.db.idempotency import Answer, Request
from loyalty.db.inbox import Event
from loyalty.db.redemptions import Purpose, Redemption
from loyalty.db.velocity import Deed
from loyalty.rules.money import to_major


class _NumberConvertor(StringConvertor):
    """A number in an address, so that no word beside it is taken for one."""

    regex = "[0-9]+"


register_url_convertor("number", _NumberConvertor())

KIND = "redemption"
_NOT_SPENT = {"hold", "till", "staff", "location"}

router = APIRouter(prefix="/v1/redemptions", tags=["redemptions"])
Redeemer = Annotated[Key, needs("redemptions")]
Again = Annotated[Repeat, Depends(repeatable)]
RedemptionId = Annotated[str, Path(pattern=NUMBER, description="As `POST /v1/redemptions` gave it.", examples=["1"])]


class Asked(Body):
    """Whose points, how many, and for what."""

    customer_id: Id = Field(description="Whose points.", examples=["C1"])
    points: Points = Field(description="How many.", examples=[100])


class Spending(Asked):
    """Points to be spent, or held."""

    purpose: Purpose = Field(
        "money_off",
        description="Money off an order, a reward of the catalogue, or a gift to be sent.",
        examples=["money_off"],
    )
    reference: Label | None = Field(
        None, description="The order, the reward, or the gift; a gift needs it.", examples=["order 4711"]
    )
    hold: bool = Field(False, description="Only hold the points, until commit, cancel or the time-out of the rules.")
    till: Label | None = Field(None, description="For limits: which till.", examples=["Berlin 3/2"])
    staff: Label | None = Field(None, description="For limits: a handle, no name.", examples=["bob"])
    location: Label | None = Field(None, description="For limits: where.", examples=["Berlin 3"])


class QuoteTold(Told):
    """What points would be worth, and whether they can be redeemed now."""

    points: int = Field(examples=[100])
    worth: str = Field(description="Money, in major units.", examples=["1.00"])
    currency: str = Field(examples=["USD"])
    balance: int = Field(description="All points of the member.", examples=[120])
    available: int = Field(description="Those that can be spent now.", examples=[120])
    minimum: int = Field(description="The fewest points that can be redeemed at once.", examples=[1])
    step: int = Field(description="Points are redeemed in multiples of it.", examples=[1])
    left_today: int | None = Field(description="How many can be redeemed today yet; null: any number.", examples=[None])
    refused: str | None = Field(description="Why these points can't be redeemed; null if they can.", examples=[None])


class RedemptionTold(Told):
    """A redemption as it is. `balance` is the member's, right after it."""

    redemption_id: str = Field(examples=["1"])
    state: redemptions.State = Field(examples=["committed"])
    points: int = Field(examples=[100])
    worth: str = Field(description="Money, in major units: what the points were worth then.", examples=["1.00"])
    currency: str = Field(examples=["USD"])
    balance: int = Field(examples=[20])
    available: int = Field(examples=[20])
    held_until: datetime | None = Field(
        description="When the hold ends, or would have ended, by itself; null if there was none.", examples=[None]
    )


@router.post("/quote", response_model=QuoteTold, summary="What points would be worth", responses=problems("not-found"))
def quote(asked: Asked, _caller: Redeemer) -> Response:
    """Say what points are worth and whether they can be redeemed. Changes nothing."""
    found = in_transaction(
        lambda connection: redemptions.quote(connection, asked.customer_id, asked.points, clock.now())
    )
    told = QuoteTold(**{name: getattr(found, name) for name in QuoteTold.model_fields} | {"worth": f"{found.worth:f}"})
    return response(Answer(200, told.model_dump_json()))


@router.post(
    "",
    status_code=201,
    response_model=RedemptionTold,
    responses=problems("idempotency-key-missing", "not-found", "refused", "too-few-points", "other-content")
    | {202: {"model": HeldTold, "description": "It breaks a limit, and is kept until a person has seen it"}},
    summary="Spend points, or hold them",
)
async def redeem(spending: Spending, caller: Redeemer, body: Annotated[Said, Depends(said)], repeat: Again) -> Response:
    """Spend points at once, or hold them; never more than are available. The header Idempotency-Key must be there."""
    request = repeat.needed(caller)
    answer = None if spending.hold else await _at_once(spending, request)
    if answer is None:
        answer = await to_thread.run_sync(_redeem, spending, request, body)
    return response(answer)


async def _at_once(spending: Spending, request: Request) -> Answer | None:
    """Spend by a single statement, which nearly all redemptions allow; None for those that take more."""
    given = spending.model_dump(exclude=_NOT_SPENT)
    body = await at_once(lambda statements: redemptions.take(statements, request, **given, now=clock.now()))
    if body is None:
        return None
    metrics.points_posted("redemption", spending.points)
    return Answer(201, body)


def _redeem(spending: Spending, request: Request, body: bytes) -> Answer:
    spent: list[int] = []

    def spend(connection: Connection) -> Answer:
        made = _spent(connection, spending, clock.now())
        spent[:] = [made.points]
        return _told(201, made)

    answer = answered_or_held(request, event_of(request, KIND, body, clock.now()), spend)
    metrics.points_posted("redemption", sum(spent))
    return answer


def apply(connection: Connection, event: Event, now: datetime) -> Applied:
    """Spend the points that an event asks for, which a person has released; the applier of its kind."""
    spending = Spending.read(event.body)
    return Applied(_told(201, _spent(connection, spending, now, released=event.released)).body)


def _spent(connection: Connection, spending: Spending, now: datetime, *, released: bool = False) -> Redemption:
    """Spend or hold points, counted. Raises Held, besides what `redemptions.redeem` does."""
    act = redemptions.hold if spending.hold else redemptions.redeem
    made = act(connection, **spending.model_dump(exclude=_NOT_SPENT), now=now)
    where = spending.till, spending.staff, spending.location
    velocity.count(connection, Deed("redeem", made.member_no, made.points, now, *where), released=released)
    velocity.after_change(connection, made.member_no, now, released=released)
    return made


@router.get(
    "/{redemption_id:number}", response_model=RedemptionTold, summary="A redemption", responses=problems("not-found")
)
def find(redemption_id: RedemptionId, _caller: Redeemer) -> Response:
    """Show a redemption as of now."""
    found = in_transaction(lambda connection: redemptions.find(connection, redemption_id, clock.now()))
    return response(_told(200, found))


@router.post(
    "/{redemption_id:number}/commit",
    response_model=RedemptionTold,
    summary="Commit points that are held",
    responses=problems("not-found", "refused", "other-content"),
)
def commit(redemption_id: RedemptionId, caller: Redeemer, repeat: Again, _said: Nothing | None = None) -> Response:
    """Spend points that are held, before the hold ends. Again is the same."""

    def spend(connection: Connection) -> Answer:
        return _told(200, redemptions.commit(connection, redemption_id, clock.now()))

    return response(answered_once(repeat.of(caller), spend))


@router.post(
    "/{redemption_id:number}/cancel",
    response_model=RedemptionTold,
    summary="Give points back",
    responses=problems("not-found", "refused", "other-content")
    | {200: differs(state="cancelled", balance=120, available=120)},
)
def cancel(redemption_id: RedemptionId, caller: Redeemer, repeat: Again, _said: Nothing | None = None) -> Response:
    """Undo a redemption, held or committed: its points go back to where they came from. Again is the same."""
    undone: list[int] = []

    def undo(connection: Connection) -> Answer:
        before = redemptions.find(connection, redemption_id, clock.now())
        made = redemptions.cancel(connection, redemption_id, clock.now())
        undone[:] = [made.points] if made.state != before.state else []
        return _told(200, made)

    answer = answered_once(repeat.of(caller), undo)
    metrics.points_posted("undo", sum(undone))
    return response(answer)


def _told(status: int, made: Redemption) -> Answer:
    given = {name: getattr(made, name) for name in RedemptionTold.model_fields}
    told = RedemptionTold(**given | {"worth": f"{to_major(made.worth, made.currency):f}"})
    return Answer(status, told.model_dump_json())

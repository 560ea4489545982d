"""Vouchers at a checkout. Codes can't be guessed for long: whoever names wrong ones waits, by key and by customer."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field
from sqlalchemy import Connection

from loyalty import clock
from loyalty.api.bodies import Body, Id, Label, Told
from loyalty.api.callers import needs
from loyalty.api.problems import Problem
from loyalty.api.repeats import Repeat, repeatable
from loyalty.api.responses import differs, problems, response
from loyalty.api.work import alone, answered_once
from loyalty.db import throttles, vouchers
from loyalty.db.api_keys import Key
from loyalty.db.idempotency import Answer
from loyalty.db.throttles import Bucket
from loyalty.db.vouchers import Voucher
from loyalty.errors import NotFound

router = APIRouter(prefix="/v1/vouchers", tags=["vouchers"])
Checkout = Annotated[Key, needs("vouchers")]
Again = Annotated[Repeat, Depends(repeatable)]
Code = Annotated[
    str,
    Path(
        min_length=1,
        max_length=64,
        description="As printed or as typed: case, spaces, hyphens, look-alikes don't matter.",
        examples=["0123456789CF7"],
    ),
]
MISSES_OF_KEY, MISSES_OF_CUSTOMER = 60.0, 5.0
"""Wrong codes that a key, and a customer, may name at once; a minute gives a tenth of them back."""

_REFILL_SECONDS = 600.0
_NOT_FOUND = 404


class Presented(Body):
    """Who presents a voucher, and for what."""

    customer_id: Id | None = Field(None, description="If given, the voucher must be this customer's.", examples=["C1"])
    reference: Label | None = Field(None, description="The checkout: who holds a voucher uses it.", examples=["till 3"])


class Holding(Presented):
    """A voucher to be held."""

    minutes: int | None = Field(
        None, ge=1, le=24 * 60, description="How long; left out: as the rules say.", examples=[15]
    )


class VoucherTold(Told):
    """A voucher as it is."""

    code: str = Field(examples=["0123456789CF7"])
    customer_id: str = Field(examples=["C1"])
    state: vouchers.State = Field(examples=["issued"])
    amount: str = Field(description="Money, in major units.", examples=["10.00"])
    currency: str = Field(examples=["USD"])
    expires_at: datetime = Field(description="From when on it is no longer good.", examples=["2026-06-30T00:00:00Z"])
    held_until: datetime | None = Field(description="When a hold ends by itself.", examples=[None])
    reference: str | None = Field(description="What it is held or was used for.", examples=[None])


@router.post(
    "/{code}/validate", response_model=VoucherTold, summary="Look at a voucher", responses=problems("not-found")
)
def validate(code: Code, caller: Checkout, presented: Presented | None = None) -> Response:
    """Show a voucher as of now. Changes nothing."""
    given = presented or Presented()
    return _done(caller, given, None, lambda connection: vouchers.look(connection, code, clock.now()), code)


@router.post(
    "/{code}/hold",
    response_model=VoucherTold,
    summary="Hold a voucher for a checkout",
    responses=problems("not-found", "refused", "other-content")
    | {200: differs(state="held", held_until="2026-03-01T10:15:00Z", reference="till 3")},
)
def hold(code: Code, caller: Checkout, repeat: Again, holding: Holding | None = None) -> Response:
    """Hold a voucher so that no other checkout can use it; the same reference again renews the hold."""
    given = holding or Holding()
    return _done(
        caller,
        given,
        repeat,
        lambda connection: vouchers.hold(
            connection, code, clock.now(), reference=given.reference, minutes=given.minutes
        ),
        code,
    )


@router.post(
    "/{code}/redeem",
    response_model=VoucherTold,
    summary="Use a voucher",
    responses=problems("not-found", "refused", "other-content") | {200: differs(state="redeemed", reference="till 3")},
)
def redeem(code: Code, caller: Checkout, repeat: Again, presented: Presented | None = None) -> Response:
    """Use a voucher: once, by whoever holds it, or by anybody if nobody does."""
    given = presented or Presented()
    return _done(
        caller,
        given,
        repeat,
        lambda connection: vouchers.redeem(connection, code, clock.now(), reference=given.reference),
        code,
    )


@router.post(
    "/{code}/release",
    response_model=VoucherTold,
    summary="End the hold of a voucher",
    responses=problems("not-found", "refused", "other-content"),
)
def release(code: Code, caller: Checkout, repeat: Again, presented: Presented | None = None) -> Response:
    """Give a voucher back that was held under this reference; one that is not held stays as it is."""
    given = presented or Presented()
    return _done(
        caller,
        given,
        repeat,
        lambda connection: vouchers.release(connection, code, clock.now(), reference=given.reference),
        code,
    )


def _done(
    caller: Key, given: Presented, repeat: Repeat | None, act: Callable[[Connection], Voucher], code: str
) -> Response:
    """Do something to a voucher, once, and tell how it is then; a code that is none counts as a guess."""
    buckets = _buckets(caller, given.customer_id)
    wait = alone(lambda connection: throttles.seconds_to_wait(connection, buckets))
    if wait > 0:
        raise Problem("too-many-requests", "too many codes that are none", headers={"Retry-After": str(int(wait) + 1)})

    def work(connection: Connection) -> Answer:
        if given.customer_id is not None:
            _see_whose(connection, code, given.customer_id)
        return _told(act(connection))

    try:
        answer = answered_once(repeat.of(caller) if repeat else None, work)
    except NotFound:
        _count(buckets)
        raise
    if answer.status == _NOT_FOUND:
        _count(buckets)
    return response(answer)


def _count(buckets: list[Bucket]) -> None:
    for bucket in buckets:
        alone(partial(throttles.take, bucket=bucket))


def _see_whose(connection: Connection, code: str, customer_id: str) -> None:
    """Raise NotFound, as for no voucher at all, for another customer's."""
    if vouchers.look(connection, code, clock.now()).customer_id != customer_id:
        raise NotFound("there is no such voucher")


def _buckets(caller: Key, customer_id: str | None) -> list[Bucket]:
    found = [(f"voucher misses of key {caller.key_no}", MISSES_OF_KEY)]
    if customer_id is not None:
        found.append((f"voucher misses of customer {customer_id}", MISSES_OF_CUSTOMER))
    return [Bucket(name, burst=misses, per_second=misses / _REFILL_SECONDS) for name, misses in found]


def _told(voucher: Voucher) -> Answer:
    given = {name: getattr(voucher, name) for name in VoucherTold.model_fields}
    return Answer(200, VoucherTold(**given | {"amount": f"{voucher.amount:f}"}).model_dump_json())

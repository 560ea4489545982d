"""Members: enrolled, changed, shown; and the entries of their ledger."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field, StringConstraints
from starlette.convertors import StringConvertor, register_url_convertor

from loyalty import clock
from loyalty.api import events, metrics
from loyalty.api.bodies import KEPT_HASHED, NUMBER, Body, Day, Id, Line, Told, Trait
from loyalty.api.callers import needs
from loyalty.api.repeats import Repeat, repeatable
from loyalty.api.responses import problems, response
from loyalty.api.work import alone, answered_once, in_transaction
from loyalty.db import enrolment, triggers
from loyalty.db.api_keys import Key
from loyalty.db.idempotency import Answer


class _CustomerIdConvertor(StringConvertor):
    """A customer_id in an address. A slash in it is sent as %2F, which is decoded before a route is looked for."""

    regex = r"(?!.*/(entries|export|merge|unmerge)$)(?!lookup$).+"


register_url_convertor("customer_id", _CustomerIdConvertor())

router = APIRouter(prefix="/v1/members", tags=["members"])

CustomerId = Annotated[Id, Path(description="Your own id of the customer.", examples=["C1"])]
Reader = Annotated[Key, needs("members:read")]
Writer = Annotated[Key, needs("members:write")]
_Name = Annotated[Line, StringConstraints(max_length=200)]


class MemberFields(Body):
    """Who a member is. What is left out stays as it is; null empties a field."""

    email: Annotated[Line, StringConstraints(max_length=320)] | None = Field(None, examples=["ada@example.com"])
    phone: Annotated[Line, StringConstraints(max_length=40)] | None = Field(None, examples=["+15555550101"])
    first_name: _Name | None = Field(None, examples=["Ada"])
    last_name: _Name | None = Field(None, examples=["Lovelace"])
    birthday: Day | None = Field(None, examples=["1990-12-10"])
    joined_on: Day | None = Field(
        None, description="When the customer joined, by your own records.", examples=["2024-05-01"]
    )
    time_zone: _Name | None = Field(None, description="Of the tz database.", examples=["Europe/London"])
    language: _Name | None = Field(None, description="A language tag (BCP 47).", examples=["en"])
    email_consent: bool = Field(False, description="Whether e-mails may be sent.", examples=[True])
    sms_consent: bool = Field(False, description="Whether SMS may be sent.", examples=[False])
    card: Trait | None = Field(None, description=f"A payment card. {KEPT_HASHED}", examples=["4111 1111 1111 1111"])
    address: Trait | None = Field(None, description=f"A postal address. {KEPT_HASHED}", examples=["1 Main St, 12345"])
    device: Trait | None = Field(None, description=f"The id of a device. {KEPT_HASHED}", examples=["6f1c-99"])
    email_offers: bool | None = Field(None, description="Whether offers may be sent by e-mail; null says nothing.")
    sms_offers: bool | None = Field(None, description="Whether offers may be sent by SMS; null says nothing.")
    consent_wording: Annotated[Line, StringConstraints(max_length=2000)] | None = Field(
        None, description="What the customer agreed to, word for word. It is kept with each consent that changes."
    )


class MemberSummary(Told):
    """A member as a till shows it. `balance` = `available` + `pending` - `owed`."""

    customer_id: str = Field(examples=["C1"])
    tier: str = Field(examples=["Bronze"])
    balance: int = Field(examples=[120])
    available: int = Field(description="Points that can be spent now.", examples=[120])
    pending: int = Field(description="Points that can be spent later.", examples=[0])
    owed: int = Field(description="Points that the next credits pay first.", examples=[0])
    qualifying_points: int = Field(description="Points that counted for the tier at the last close.", examples=[120])
    tier_since: datetime | None = Field(
        description="When the member came into the tier; null for the first one.", examples=[None]
    )
    tier_held_until: date | None = Field(description="The tier is safe until this month begins.", examples=[None])
    enrolled_at: datetime = Field(description="When the customer became a member.", examples=["2026-03-01T10:00:00Z"])


class Entry(Told):
    """Points that moved."""

    entry_id: int = Field(description="A `cursor`, too: send it for what comes after.", examples=[42])
    kind: str = Field(description="What it is: earn, redeem, undo, expire, adjust and others.", examples=["earn"])
    points: int = Field(description="Below zero they were taken.", examples=[120])
    occurred_at: datetime = Field(description="When it happened.", examples=["2026-03-01T10:00:00Z"])
    recorded_at: datetime = Field(description="When it was learned of.", examples=["2026-03-01T10:00:00Z"])
    period: str = Field(description="The month it is booked to.", examples=["2026-03"])
    source: str | None = Field(description="What posted it.", examples=["till"])
    reference: str | None = Field(description="What it is about.", examples=["T1"])
    expires_at: datetime | None = Field(
        description="When points that were credited expire.", examples=["2027-04-01T00:00:00Z"]
    )
    reason: str | None = Field(description="Why, where a person said so.", examples=[None])


class Entries(Told):
    """A page of entries, oldest first. `next_cursor` is null on the last page."""

    entries: list[Entry] = Field(description="The oldest first.")
    next_cursor: str | None = Field(description="Send it as `cursor` for what comes after.", examples=["42"])


@router.get(
    "/{customer_id:path}/entries",
    response_model=Entries,
    summary="The entries of a member's ledger, oldest first",
    responses=problems("not-found"),
)
def member_entries(
    customer_id: CustomerId,
    _caller: Reader,
    cursor: Annotated[
        str | None, Query(pattern=NUMBER, description="The `next_cursor` of the page before.", examples=["42"])
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many a page has at most.", examples=[100])] = 100,
) -> Response:
    """Page through all that moved a member's points. A cursor stays good: later entries come after it."""
    after = None if cursor is None else int(cursor)

    rows = in_transaction(lambda connection: enrolment.entries(connection, customer_id, after=after, most=limit + 1))
    page = [{name: row[name] for name in Entry.model_fields} for row in rows[:limit]]
    more = str(page[-1]["entry_id"]) if len(rows) > limit else None
    return response(Answer(200, json.dumps({"entries": page, "next_cursor": more})))


@router.get(
    "/{customer_id:customer_id}",
    response_model=MemberSummary,
    summary="A member: tier and points",
    responses=problems("not-found"),
)
def get_member(customer_id: CustomerId, _caller: Reader) -> Response:
    """Show a member as of now."""
    row = alone(lambda connection: enrolment.summary(connection, customer_id, clock.now()))
    return response(Answer(200, _summary(row)))


@router.put(
    "/{customer_id:customer_id}",
    response_model=MemberSummary,
    responses=problems("refused", "other-content")
    | {201: {"model": MemberSummary, "description": "The customer is enrolled"}},
    summary="Enrol a customer, or change a member",
)
def put_member(
    customer_id: CustomerId, fields: MemberFields, caller: Writer, repeat: Annotated[Repeat, Depends(repeatable)]
) -> Response:
    """Write the fields sent; the first time it enrols the customer (201), later it changes the member (200).

    Purchases that waited for the customer to register are applied with it, and are in the balance told.
    """
    now = clock.now()
    given = {name: getattr(fields, name) for name in fields.model_fields_set}
    claimed: list[tuple[str, str]] = []

    def put(connection: Any) -> Answer:
        enrolled = triggers.put_member(connection, customer_id, given, now)
        claimed[:] = events.registered(connection, customer_id, now) if enrolled else []
        return Answer(201 if enrolled else 200, _summary(enrolment.summary(connection, customer_id, now)))

    answer = answered_once(repeat.of(caller), put)
    metrics.points_of_waiting(claimed)
    return response(answer)


def _summary(row: Mapping[str, Any]) -> str:
    return MemberSummary(**{name: row[name] for name in MemberSummary.model_fields}).model_dump_json()

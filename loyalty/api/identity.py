"""Who is who: members looked up, exported, merged and erased. Addresses stay in bodies, and so out of logs."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Connection

from loyalty import clock
from loyalty.api.bodies import Body, Id, Line, Nothing, Told
from loyalty.api.callers import needs
from loyalty.api.members import CustomerId
from loyalty.api.repeats import Repeat, repeatable
from loyalty.api.responses import as_json, differs, problems, response
from loyalty.api.work import answered_once, in_transaction
from loyalty.db import identity, merges, personal_data
from loyalty.db.api_keys import Key
from loyalty.db.idempotency import Answer
from loyalty.db.identity import PlatformId
from loyalty.db.merges import Merged
from loyalty.errors import NotFound
from loyalty.messages import erasure

router = APIRouter(prefix="/v1/members", tags=["members"])
_Email = Annotated[Line, StringConstraints(max_length=320)]
_Phone = Annotated[Line, StringConstraints(max_length=40)]
_Platform = Annotated[Line, StringConstraints(max_length=80)]
Reader = Annotated[Key, needs("members:read")]
Exporter = Annotated[Key, needs("members:export")]
Merger = Annotated[Key, needs("members:merge")]
Eraser = Annotated[Key, needs("members:erase")]


_HELD = {
    "customer_id": "C1",
    "member_no": 1,
    "members": [{"member_no": 1, "customer_id": "C1", "first_name": "Ada", "tier": "Bronze", "balance": 120}],
    "transactions": [{"transaction_id": "T1", "occurred_at": "2026-03-01T10:00:00+00:00", "amount": 120000}],
    "entries": [{"entry_id": 1, "kind": "earn", "points": 120, "period": "2026-03-01"}],
}
"""A part of what is held on somebody; each list is a part of the document."""


class Lookup(Body):
    """By what to find a member: the strongest that is known decides, in this order."""

    customer_id: Id | None = Field(None, examples=["C1"])
    platform: _Platform | None = Field(None, description="With `platform_id`: whose id it is.", examples=["shopify"])
    platform_id: Id | None = Field(None, examples=["7301"])
    email: _Email | None = Field(None, examples=["ada@example.com"])
    phone: _Phone | None = Field(None, examples=["+15555550101"])

    @model_validator(mode="after")
    def _is_whole(self) -> "Lookup":
        if (self.platform is None) != (self.platform_id is None):
            raise ValueError("platform and platform_id come together")
        return self


class FoundMember(Told):
    """A member found."""

    member_no: int = Field(examples=[1])
    customer_id: str = Field(examples=["C1"])


class ErasedMember(Told):
    """What an erasure did."""

    member_nos: list[int] = Field(description="The member, and all who were merged into it.", examples=[[1]])
    points_forfeited: int = Field(examples=[120])


class Merging(Body):
    """Who is merged into the member."""

    merge: Id = Field(description="The customer_id of the one merged into it.", examples=["C2"])


class MergeTold(Told):
    """What a merge, or undoing it, did."""

    merge_no: int = Field(examples=[1])
    kept_no: int = Field(description="The member who stays, by number.", examples=[1])
    lost_no: int = Field(description="The one merged into it.", examples=[2])
    points: int = Field(description="Points that went over; below zero, they were owed.", examples=[120])
    appeared: int = Field(description="Points that two fractions give together and not apart.", examples=[1])
    transactions: int = Field(description="Transactions that went over.", examples=[12])


@router.post(
    "/lookup",
    response_model=FoundMember,
    summary="A member found by any identifier",
    responses=problems("not-found", "refused"),
)
def look_up(asked: Lookup, _caller: Reader) -> Response:
    """Find a member by the strongest identifier that is known: customer_id, platform's id, e-mail address, number."""

    def find(connection: Connection) -> FoundMember:
        member_no = identity.find_member(
            connection,
            customer_id=asked.customer_id,
            platform_id=PlatformId(asked.platform, asked.platform_id) if asked.platform and asked.platform_id else None,
            email=asked.email,
            phone=asked.phone,
        )
        if member_no is None:
            raise NotFound("nobody is known by this")
        return FoundMember(member_no=member_no, customer_id=identity.customer_id_of(connection, member_no))

    return response(Answer(200, in_transaction(find).model_dump_json()))


@router.get(
    "/{customer_id:path}/export",
    response_model=dict[str, Any],
    summary="All that is held on a person",
    responses=problems("not-found", "refused") | {200: differs(**_HELD)},
)
def export_member(customer_id: CustomerId, _caller: Exporter) -> Response:
    """Give all that is held on a person, as one document. Money is in minor units of the currency."""
    return as_json(200, in_transaction(lambda connection: personal_data.export(connection, customer_id, clock.now())))


@router.delete(
    "/{customer_id:customer_id}",
    response_model=ErasedMember,
    summary="Erase a person",
    responses=problems("not-found", "refused"),
)
def erase_member(customer_id: CustomerId, caller: Eraser) -> Response:
    """Take the identity away for good; the points are forfeited, and the books stay under the member's number."""
    done = erasure.erase(customer_id, f"key {caller.key_no}", clock.now())
    told = ErasedMember(member_nos=list(done.members), points_forfeited=done.points)
    return response(Answer(200, json.dumps(told.model_dump())))


@router.post(
    "/{customer_id:path}/merge",
    response_model=MergeTold,
    summary="Another member merged into this one",
    responses=problems("not-found", "refused", "other-content"),
)
def merge_member(
    customer_id: CustomerId, asked: Merging, caller: Merger, repeat: Annotated[Repeat, Depends(repeatable)]
) -> Response:
    """Merge another member into this one: points with their dates, transactions, identifiers, the higher tier."""
    by, now = f"key {caller.key_no}", clock.now()

    def work(connection: Connection) -> Answer:
        return _merge_told(merges.merge(connection, customer_id, asked.merge, by, now))

    return response(answered_once(repeat.of(caller), work))


@router.post(
    "/{customer_id:path}/unmerge",
    response_model=MergeTold,
    summary="A merge of this member undone",
    responses=problems("not-found", "refused", "other-content"),
)
def unmerge_member(
    customer_id: CustomerId,
    caller: Merger,
    repeat: Annotated[Repeat, Depends(repeatable)],
    _said: Nothing | None = None,
) -> Response:
    """Undo the merge of this member, the one that was merged into another."""
    by, now = f"key {caller.key_no}", clock.now()

    def work(connection: Connection) -> Answer:
        return _merge_told(merges.unmerge(connection, customer_id, by, now))

    return response(answered_once(repeat.of(caller), work))


def _merge_told(done: Merged) -> Answer:
    told = MergeTold(**{name: getattr(done, name) for name in MergeTold.model_fields})
    return Answer(200, told.model_dump_json())

"""Adjustments by hand: points given or taken by staff, above a limit once a second person approves."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field, StringConstraints
from sqlalchemy import Connection

from loyalty import clock
from loyalty.api import metrics
from loyalty.api.bodies import NUMBER, Body, Id, Line, Told
from loyalty.api.callers import needs
from loyalty.api.repeats import Repeat, repeatable
from loyalty.api.responses import differs, problems, response
from loyalty.api.work import answered_once, in_transaction
from loyalty.db import adjustments
from loyalty.db.adjustments import Adjustment, State
from loyalty.db.api_keys import Key
from loyalty.db.idempotency import Answer
from loyalty.rules.programme import HANDLE, LABEL, MOST_POINTS

router = APIRouter(prefix="/v1/adjustments", tags=["adjustments"])
Adjuster = Annotated[Key, needs("adjustments")]


class Adjusting(Body):
    """What is given or taken, why, and by whom."""

    customer_id: Id = Field(examples=["C1"])
    points: Annotated[int, Field(ge=-MOST_POINTS, le=MOST_POINTS, strict=True)] = Field(
        description="Below zero they are taken.", examples=[100]
    )
    reason: Annotated[str, StringConstraints(pattern=f"^{LABEL}$")] = Field(
        description="A reason code of the rules.", examples=["goodwill"]
    )
    author: Annotated[str, StringConstraints(pattern=f"^{HANDLE}$")] = Field(
        description="The member of staff, by handle.", examples=["anna"]
    )
    note: Annotated[Line, StringConstraints(max_length=500)] | None = Field(None, examples=["Order 4711 came late"])


class AdjustmentTold(Told):
    """An adjustment as it stands. One that waits is decided by `loyalty approvals` or in Prefect's UI."""

    adjustment_id: str = Field(examples=["1"])
    state: State = Field(examples=["posted"])
    points: int = Field(examples=[100])
    reason: str = Field(examples=["goodwill"])
    author: str = Field(examples=["anna"])
    approval: int | None = Field(description="The number of the approval it waits or waited for.", examples=[None])
    approved_by: str | None = Field(description="Who decided, by handle.", examples=[None])
    posted_at: datetime | None = Field(description="When its points were posted.", examples=["2026-03-01T10:00:00Z"])


@router.post(
    "",
    status_code=201,
    response_model=AdjustmentTold,
    responses=problems("idempotency-key-missing", "not-found", "refused", "too-few-points", "other-content")
    | {
        202: {
            "model": AdjustmentTold,
            "description": "It is kept until a second person approves",
            **differs(state="waiting", approval=1, posted_at=None),
        }
    },
    summary="Give or take points by hand",
)
def adjust(told: Adjusting, caller: Adjuster, repeat: Annotated[Repeat, Depends(repeatable)]) -> Response:
    """Post points with a reason; above the limit of the rules they wait for a second person (202).

    The header Idempotency-Key must be there.
    """
    posted: list[int] = []

    def post(connection: Connection) -> Answer:
        made = adjustments.adjust(
            connection,
            told.customer_id,
            told.points,
            reason=told.reason,
            note=told.note or "",
            by=told.author,
            now=clock.now(),
        )
        posted[:] = [made.points] if made.state == "posted" else []
        return Answer(201 if made.state == "posted" else 202, _told(made))

    answer = answered_once(repeat.needed(caller), post)
    metrics.points_posted("adjust", sum(posted))
    return response(answer)


@router.get("/{adjustment_id}", response_model=AdjustmentTold, summary="An adjustment", responses=problems("not-found"))
def find(
    adjustment_id: Annotated[
        str, Path(pattern=NUMBER, description="As `POST /v1/adjustments` gave it.", examples=["1"])
    ],
    _caller: Adjuster,
) -> Response:
    """Show an adjustment as it stands now."""
    found = in_transaction(lambda connection: adjustments.find(connection, int(adjustment_id)))
    return response(Answer(200, _told(found)))


def _told(made: Adjustment) -> str:
    return AdjustmentTold(
        adjustment_id=str(made.adjustment_no),
        state=made.state,
        points=made.points,
        reason=made.reason,
        author=made.asked_by,
        approval=made.approval_no,
        approved_by=made.approved_by,
        posted_at=made.posted_at,
    ).model_dump_json()

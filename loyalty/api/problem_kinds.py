"""What problems mean: the addresses that their `type` names."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from loyalty.api.problems import KINDS, Kind, Problem
from loyalty.api.responses import only

router = APIRouter(prefix="/problems", tags=["service"])


class ProblemKind(BaseModel):
    """What a kind of problem means."""

    title: str = Field(description="As the problem has it.", examples=["Too few points"])
    status: int = Field(description="The HTTP status of all of its kind.", examples=[409])
    about: str = Field(
        description="What happened, and what to do.",
        examples=["The member has fewer available points than asked for."],
    )


@router.get("", summary="What each problem means")
async def problem_types() -> dict[str, ProblemKind]:
    """Every kind of problem, by the last part of its `type`."""
    return {name: _told(kind) for name, kind in KINDS.items()}


@router.get("/{name}", summary="What a problem means", responses=only("not-found"))
async def problem_type(
    name: Annotated[str, Path(description="The last part of its `type`.", examples=["too-few-points"])],
) -> ProblemKind:
    """Tell what the `type` of a problem means, and what to do."""
    if name not in KINDS:
        raise Problem("not-found")
    return _told(KINDS[name])


def _told(kind: Kind) -> ProblemKind:
    return ProblemKind(title=kind.title, status=kind.status, about=kind.about)

"""Whether the service can do its work: the database answers, and has the schema of this release."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from loyalty.api.responses import as_json, differs
from loyalty.db.programme import check_ready
from loyalty.errors import ConfigurationError, LoyaltyError, Unavailable

router = APIRouter(tags=["service"])


_AWAY = differs(status="failing", database="unavailable", migrations="unknown")


class Health(BaseModel):
    """The state of the service's parts."""

    status: str = Field(description="`ok` or `failing`", examples=["ok"])
    database: str = Field(description="`ok` or `unavailable`", examples=["ok"])
    migrations: str = Field(description="`ok`, `unknown`, or what has to be done", examples=["ok"])


@router.get(
    "/healthz",
    response_model=Health,
    summary="Whether the service can do its work",
    responses={503: {"model": Health, "description": "It can't", **_AWAY}},
)
def health() -> Response:
    """Tell whether the service can do its work; needs no key."""
    try:
        check_ready()
    except Unavailable:
        return _told(503, database="unavailable", migrations="unknown")
    except (LoyaltyError, ConfigurationError) as error:
        return _told(503, database="ok", migrations=str(error))
    return _told(200, database="ok", migrations="ok")


def _told(status: int, **parts: str) -> Response:
    return as_json(status, {"status": "ok" if status == 200 else "failing", **parts})

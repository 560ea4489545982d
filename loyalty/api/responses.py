"""How answers are sent, and what OpenAPI says of those that are problems."""

import json
from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from loyalty.api.bodies import Told
from loyalty.api.events import Outcome
from loyalty.api.problems import KINDS, MEDIA_TYPE, Problem
from loyalty.db.idempotency import Answer
from loyalty.errors import Refused

KEPT = ("waiting", "held")
_FIRST_PROBLEM = 400
_ANYWHERE = (
    *("malformed", "unauthorized", "forbidden", "too-large", "unsupported-media-type", "invalid"),
    *("too-many-requests", "unforeseen", "unavailable"),
)


class WrongField(BaseModel):
    """A field that can't be taken."""

    pointer: str = Field(description="A JSON pointer into the body, or the name of a parameter.", examples=["/amount"])
    detail: str = Field(examples=["field required"])


class ProblemDetails(BaseModel):
    """A problem (RFC 9457)."""

    type: str = Field(description="Which kind; the address tells what it means.", examples=["/problems/invalid"])
    title: str = Field(examples=["Invalid"])
    status: int = Field(examples=[422])
    detail: str = Field(description="What of it is particular to this request.")
    errors: list[WrongField] = Field(default=[], description="Each wrong field, of an invalid request.")


class Waiting(Told):
    """What can't be applied yet is kept, and applied once it can; what breaks a limit, once a person releases it.

    The same request again tells how it stands.
    """

    transaction_id: str = Field(examples=["R1"])
    state: str = Field(examples=["waiting"])
    reason: str = Field(examples=["the sale is not recorded yet"])


def response(answer: Answer) -> Response:
    """Send an answer: whether first or repeated, the same bytes."""
    media_type = MEDIA_TYPE if answer.status >= _FIRST_PROBLEM else "application/json"
    return Response(answer.body, answer.status, media_type=media_type)


def of_event(transaction_id: str, outcome: Outcome) -> Response:
    """Tell what became of a transaction: 201 applied just now, 200 with the first answer, 202 waiting or held.

    Raises Refused for one that was given up, or dropped by a person.
    """
    if outcome.answer is not None:
        return response(Answer(201 if outcome.first else 200, outcome.answer))
    if outcome.state not in KEPT:
        raise Refused(f"the same came before and is {outcome.state}: {outcome.reason}")
    waiting = Waiting(transaction_id=transaction_id, state=outcome.state, reason=outcome.reason or "")
    return response(Answer(202, waiting.model_dump_json()))


def as_json(status: int, body: Any) -> Response:
    """Send plain values."""
    return Response(json.dumps(body, ensure_ascii=False), status, media_type="application/json")


def differs(**parts: Any) -> dict[str, Any]:
    """For an answer of a route: what its example has other than the examples of its fields."""
    return {"content": {"application/json": {"example": parts}}}


def problems(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """For a route under /v1: every status that is a problem, with those kinds that any route can meet, and these."""
    return only(*_ANYWHERE, *kinds)


def only(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """For a route: the statuses of these kinds of problems, each with its kinds as examples."""
    named = [name for name in KINDS if name in kinds]
    return {status: _described(status, named) for status in sorted({KINDS[name].status for name in named})}


def _described(status: int, named: list[str]) -> dict[str, Any]:
    found = {name: KINDS[name] for name in named if KINDS[name].status == status}
    wrong = {"invalid": [{"pointer": "/customer_id", "detail": "field required"}]}
    examples = {
        name: {"summary": kind.title, "value": Problem(name, errors=wrong.get(name, ())).told()}
        for name, kind in found.items()
    }
    return {
        "description": "; ".join(kind.title for kind in found.values()),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}, "examples": examples}},
    }

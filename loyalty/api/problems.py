"""Problem details (RFC 9457): every error the service answers with, by name, and how the library's errors become them.

A detail says what to do, in words of ours: it never repeats what was sent.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from loyalty.api.bodies import PATTERNS
from loyalty.errors import (
    AlreadyGiven,
    BadInput,
    LoyaltyError,
    NotFound,
    NotMigrated,
    OtherContent,
    Refused,
    TooFewPoints,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its HTTP status, its title, and what it means."""

    status: int
    title: str
    about: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "malformed": Kind(400, "Not understood", "The request is no HTTP, its body no JSON, or a header is wrong."),
        "idempotency-key-missing": Kind(
            400,
            "Idempotency-Key is missing",
            "This request needs the header Idempotency-Key, so that it can be repeated.",
        ),
        "unauthorized": Kind(
            401, "No good key", "Send `Authorization: Bearer KEY` with a key that is neither revoked nor expired."
        ),
        "forbidden": Kind(403, "Scope is missing", "The key is good, but has no scope for this."),
        "unverified": Kind(403, "Not verified", "The signature of the platform is missing, or does not fit."),
        "not-found": Kind(404, "Not found", "Nothing is at this address, or nothing has this id."),
        "method-not-allowed": Kind(405, "Method not allowed", "The header Allow names the methods of this address."),
        "refused": Kind(409, "Refused", "The programme's state forbids it; the detail says why."),
        "too-few-points": Kind(409, "Too few points", "The member has fewer available points than asked for."),
        "already-given": Kind(
            409, "Already given", "The points of this occasion were given before; there is nothing left to do."
        ),
        "other-content": Kind(
            409, "Other content", "The same id or Idempotency-Key came before with other content: take a new one."
        ),
        "too-large": Kind(413, "Too large", "The body, the address or a header is longer than the service takes."),
        "unsupported-media-type": Kind(415, "Not JSON", "The body must be sent as `Content-Type: application/json`."),
        "invalid": Kind(422, "Invalid", "The request can be read, but not taken; `errors` names each wrong field."),
        "too-many-requests": Kind(429, "Too many requests", "Wait as many seconds as the header Retry-After says."),
        "unforeseen": Kind(
            500, "Unforeseen", "The service failed; its log has the request_id. The same request may be sent again."
        ),
        "unavailable": Kind(
            503, "Unavailable", "The database can't do it now; wait as Retry-After says and send the same again."
        ),
    }
)

_UNREADABLE, _WRONG_METHOD = 400, 405
_NO_JSON = "the body is not JSON, or its numbers or its depth are beyond reading"
_NOT_MIGRATED = "the database lacks what this release needs until its operator has run `loyalty migrate`"
_REFUSALS = {
    AlreadyGiven: "already-given",
    NotFound: "not-found",
    OtherContent: "other-content",
    TooFewPoints: "too-few-points",
}
_BY_STATUS = {
    400: "malformed",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}


_DETAILS = {
    "extra_forbidden": "no such field",
    "model_attributes_type": "must be a JSON object",
    "string_unicode": "must be a text, with no half of a surrogate pair",
}
"""Of what pydantic finds, in words for who sends JSON."""


class Problem(Exception):
    """An answer that is a problem. `errors` has a JSON pointer and a detail for each wrong field."""

    def __init__(
        self,
        kind: str,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take one of KINDS, and what of it is particular to this request."""
        super().__init__(detail or KINDS[kind].about)
        self.kind = kind
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.kind].status

    def told(self) -> dict[str, Any]:
        """The document."""
        told: dict[str, Any] = {
            "type": f"/problems/{self.kind}",
            "title": KINDS[self.kind].title,
            "status": self.status,
            "detail": str(self),
        }
        if self.errors:
            told["errors"] = list(self.errors)
        return told

    def body(self) -> str:
        """The document, as JSON."""
        return json.dumps(self.told(), ensure_ascii=False)

    def response(self) -> Response:
        """The answer to send."""
        return Response(self.body(), self.status, self.headers, MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """What to answer where the library, FastAPI or Starlette raised an error."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return _by_status(error)
    if isinstance(error, LoyaltyError):
        return _of_library(error)
    return Problem("unforeseen")


async def answer(request: Request, error: Exception) -> Response:
    """Handle an exception of an endpoint."""
    problem = problem_of(error)
    if problem.status == _WRONG_METHOD:
        problem.headers["Allow"] = ", ".join(_methods(request.scope))
    return problem.response()


def _methods(scope: Scope) -> list[str]:
    """The methods that some route has at this address."""
    wanted = ("DELETE", "GET", "PATCH", "POST", "PUT")
    routes = scope["app"].router.routes
    matches = {method: [route.matches({**scope, "method": method})[0] for route in routes] for method in wanted}
    return [method for method, found in matches.items() if Match.FULL in found]


def _of_library(error: LoyaltyError) -> Problem:
    if isinstance(error, Unavailable):
        return Problem("unavailable", headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    if isinstance(error, NotMigrated):  # the operator's to mend, so that a till keeps what it has to tell
        return Problem("unavailable", _NOT_MIGRATED, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    if isinstance(error, BadInput):
        return Problem("invalid", errors=[_mistake(line) for line in error.mistakes])
    if isinstance(error, Refused):
        kinds = [kind for known, kind in _REFUSALS.items() if isinstance(error, known)]
        return Problem(kinds[0] if kinds else "refused", str(error))
    return Problem("unforeseen")


def _mistake(line: str) -> dict[str, str]:
    """A line of BadInput; "/amount: too fine" names its field."""
    pointer, colon, detail = line.partition(": ")
    if colon and pointer.startswith("/"):
        return {"pointer": pointer, "detail": detail}
    return {"pointer": "", "detail": line}


def _invalid(error: RequestValidationError) -> Problem:
    """Name the places, and what would be right there, without the values."""
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return Problem("malformed", _NO_JSON)
    return Problem("invalid", errors=[{"pointer": _pointer(each["loc"]), "detail": _detail(each)} for each in found])


def _pointer(place: Sequence[str | int]) -> str:
    """A JSON pointer into the body; a parameter or header is named as such."""
    where, *path = place
    if where == "body":
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
    return ":".join(str(part) for part in place)


def _detail(found: Mapping[str, Any]) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "missing" and found["loc"] == ("body",):
        return "must be there: a JSON object"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch" and context["pattern"] in PATTERNS:
        return PATTERNS[context["pattern"]]
    said: str = _DETAILS.get(kind, found["msg"])
    return said if said[1:2].isupper() else f"{said[0].lower()}{said[1:]}"  # but for "URL should …"


def _by_status(error: HTTPException) -> Problem:
    kind = _BY_STATUS.get(error.status_code, "malformed" if error.status_code < 500 else "unforeseen")
    detail = _NO_JSON if error.status_code == _UNREADABLE else ""
    return Problem(kind, detail, headers=error.headers)

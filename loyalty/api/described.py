"""The OpenAPI document: what FastAPI writes, made whole.

Each operation gets its scope in words, and an example of its request and of each answer, put together from the examples
of the fields; of a problem, one for each kind that the operation can meet.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from loyalty.api.problems import MEDIA_TYPE
from loyalty.api.responses import ProblemDetails, WrongField

_UNSAID = "Successful Response"
_OF_FASTAPI = ("HTTPValidationError", "ValidationError")
"""Schemas of an answer that this service never gives: its own is a problem."""

_REPEAT = "Idempotency-Key"
_NAME = "too-few-points"  # of the one answer that has names of its own
_TAGS = {
    "members": "Who the customers are: enrolled, changed, shown, found, merged, exported, erased.",
    "purchases": "Sales and refunds as they happen, each once by its source and transaction_id.",
    "redemptions": "Points spent: quoted, held for a checkout, committed, given back.",
    "vouchers": "Vouchers at a checkout: looked at, held, used, released.",
    "triggers": "Points for more than purchases.",
    "adjustments": "Points by hand.",
    "platforms": "What platforms tell, and who wants to be told.",
    "service": "The service itself.",
}


def describe(made: FastAPI) -> dict[str, Any]:
    """Write the document, once."""
    if made.openapi_schema is None:
        tags = [{"name": name, "description": about} for name, about in _TAGS.items()]
        document = get_openapi(
            title=made.title, version=made.version, description=made.description, routes=made.routes, tags=tags
        )
        schemas = document["components"]["schemas"]
        for name in _OF_FASTAPI:
            schemas.pop(name, None)
        for model in (ProblemDetails, WrongField):
            described = model.model_json_schema(ref_template="#/components/schemas/{model}")
            described.pop("$defs", None)
            schemas[model.__name__] = described
        for operation in _operations(document):
            _complete(operation, schemas)
        made.openapi_schema = document
    return made.openapi_schema


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _complete(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Say of an operation what FastAPI could not know."""
    for requirement in operation.get("security", []):
        (scope,) = requirement["key"]
        operation["description"] += f"\n\nThe key needs the scope `{scope}`."
    _exemplify(operation.get("requestBody", {}), schemas, given=True)
    answers = operation["responses"]
    if _OF_FASTAPI[0] in str(answers.get("422")):
        del answers["422"]
    for answer in answers.values():
        _exemplify(answer, schemas, given=False)
        if answer["description"] == _UNSAID:
            answer["description"] = _first_line(answer, schemas) or operation["summary"]
    for parameter in operation.get("parameters", []):
        if parameter["name"] == _REPEAT:
            parameter["required"] = "idempotency-key-missing" in str(answers["400"])


def _first_line(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """What the schema of an answer says of itself, first."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    about: str = _resolved(schema, schemas).get("description", "")
    return about.partition("\n")[0]


def _exemplify(told: Mapping[str, Any], schemas: Mapping[str, Any], *, given: bool) -> None:
    """Put an example beside each schema, or complete it; a request leaves out what need not be said."""
    for media_type, each in told.get("content", {}).items():
        if media_type != MEDIA_TYPE:
            made = _example(each["schema"], schemas, given=given)
            each["example"] = {**(made or {}), **each.get("example", {})}


def _example(schema: Mapping[str, Any], schemas: Mapping[str, Any], *, given: bool) -> Any:
    """An example of a schema, of its own or of its parts' examples."""
    schema = _resolved(schema, schemas)
    if "examples" in schema:
        return schema["examples"][0]
    if "properties" in schema:
        parts = schema["properties"].items()
        said = {name: part for name, part in parts if not given or "examples" in part}
        return {name: _example(part, schemas, given=given) for name, part in said.items()}
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas, given=given)]
    if isinstance(schema.get("additionalProperties"), dict):
        return {_NAME: _example(schema["additionalProperties"], schemas, given=given)}
    return schema.get("default")


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that is meant, and not null, where a body may be left out."""
    for choice in schema.get("anyOf", ()):
        if "$ref" in choice:
            schema = choice
    if "$ref" in schema:
        return _resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return schema

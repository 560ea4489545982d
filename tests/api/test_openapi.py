"""The service is what its OpenAPI document says, whatever is sent to it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema
from sqlalchemy import URL

from loyalty.api.problems import MEDIA_TYPE
from loyalty.db.api_keys import SCOPES
from tests.api.conftest import Server, started

# a value may fit the schema and still be no phone number, no zone, no member's
NOT_EXPRESSIBLE = "positive_data_acceptance"


def test_every_answer_is_one_that_openapi_describes(api: Server, tmp_path: Path) -> None:
    """Law: no request, sound or broken, gets a 5xx, or a status, type or body that is not described; no method is open
    that is not listed, nothing is shown without a key.
    """  # fmt: skip
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {api.key('all')}", "--checks", "all"),
        *("--exclude-checks", NOT_EXPRESSIBLE, "--max-examples", "10", "--seed", "1", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
    assert [line for line in api.logged() if line["event"] == "failure" or line.get("status", 0) >= 500] == []


def test_the_document_names_every_route_and_problem(api: Server) -> None:
    """Law: each operation has a summary, what it does, and, under /v1, its scope and the problems it can meet."""
    operations = _operations(api)
    assert [name for name, each in operations.items() if not (each.get("summary") and each.get("description"))] == []
    under_v1 = {name: each for name, each in operations.items() if " /v1/" in name}
    webhooks = under_v1.pop("post /v1/webhooks/{platform}")
    assert "security" not in webhooks
    for name, each in under_v1.items():
        ((scope,),) = [requirement["key"] for requirement in each["security"]]
        assert scope in SCOPES, name
        assert f"`{scope}`" in each["description"], name
        assert {"401", "403", "422", "503"} <= each["responses"].keys(), name
    needing = {name for name, each in under_v1.items() if {("Idempotency-Key", True)} & _headers(each)}
    assert needing == {"post /v1/redemptions", "post /v1/adjustments"}


def test_each_operation_has_examples_that_fit(api: Server) -> None:
    """Law: each request, and each answer, has an example that its schema allows; each problem, one for every kind."""
    document = _document(api)
    for name, each in _operations(api).items():
        told = {"request": each.get("requestBody", {}), **each["responses"]}
        for part, content in [(part, found) for part, one in told.items() for found in one.get("content", {}).items()]:
            media_type, described = content
            examples = [one["value"] for one in described.get("examples", {}).values()] or [described["example"]]
            for example in examples:
                assert example or "Nothing" in str(described["schema"]), (name, part)
                jsonschema.validate(example, {**described["schema"], "components": document["components"]})
            if media_type == MEDIA_TYPE:
                kinds = [(one["type"].removeprefix("/problems/"), one["status"]) for one in examples]
                assert kinds == [(kind, int(part)) for kind in described["examples"]], (name, part)
        assert [one for one in each.get("parameters", []) if not one.get("description")] == [], name


def test_the_examples_work_as_they_are(own_database: URL, tmp_path: Path) -> None:
    """Law: who sends the examples of the document, one after the other, enrols, sells, refunds and redeems."""
    with started(own_database, tmp_path) as server, server.caller() as till:
        said = {
            name: each["requestBody"]["content"]["application/json"]["example"]
            for name, each in _operations(server).items()
            if "requestBody" in each
        }
        assert till.put("/v1/members/C1", json=said["put /v1/members/{customer_id}"]).status_code == 201
        more = {**said["post /v1/purchases"], "transaction_id": "T0", "amount": "2000.00"}
        assert till.post("/v1/purchases", json=more).status_code == 201
        for address, expected in (
            ("/v1/purchases", 201),
            ("/v1/refunds", 201),
            ("/v1/redemptions/quote", 200),
            ("/v1/redemptions", 201),
            ("/v1/adjustments", 201),
        ):
            done = till.post(address, json=said[f"post {address}"], headers={"Idempotency-Key": address})
            assert done.status_code == expected, (address, done.text)


def _document(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/openapi.json").json()
    return found


def _operations(server: Server) -> dict[str, dict[str, Any]]:
    paths = _document(server)["paths"]
    return {f"{method} {path}": each for path, methods in paths.items() for method, each in methods.items()}


def _headers(operation: dict[str, Any]) -> set[tuple[str, bool]]:
    return {(one["name"], one["required"]) for one in operation.get("parameters", []) if one["in"] == "header"}

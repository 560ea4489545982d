"""The service is what its OpenAPI document says, whatever is sent to it."""

import subprocess
import sys
from pathlib import Path

import httpx

from tests.api.conftest import Server

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
    """Law: what is under /v1 is described with its scope, a summary, and the problems it can answer with."""
    described = httpx.get(f"{api.url}/openapi.json").json()
    operations = {
        f"{method} {path}": operation for path, each in described["paths"].items() for method, operation in each.items()
    }
    under_v1 = {name: operation for name, operation in operations.items() if "/v1/" in name}
    assert {name for name, operation in under_v1.items() if "security" not in operation} == {
        "post /v1/webhooks/{platform}"
    }
    assert all(
        operation["summary"] and {"401", "422", "503"} <= operation["responses"].keys()
        for operation in under_v1.values()
    )

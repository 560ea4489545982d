"""Dockerfile, compose file and Kubernetes files: what can be seen without running them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.utilities.schema_tools.validation import is_valid_schema, validate

from deployments import pool, stack

FOLDER = Path(__file__).parents[2] / "deployments"
PLACEHOLDER = re.compile(r"{{ (\w+) }}")
EXAMPLE = dict(
    line.split("=", 1)
    for line in (FOLDER / "compose.env.example").read_text().splitlines()
    if line and not line.startswith("#")
)


def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return found


def _manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / "kubernetes" / "loyalty.yaml").read_text()))


def _template() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "kubernetes" / "job-template.json").read_text())
    return found


def _pods() -> dict[str, dict[str, Any]]:
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in _manifests()
        if each["kind"] in {"Deployment", "Job"}
    }


def test_the_image_is_made_in_two_stages_and_runs_as_nobody_special() -> None:
    """Law: bases by version, packages by the lock with hashes, no compiler's leavings, a user that is not root."""
    lines = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    stages = [each for each in words if each[0] == "FROM"]

    assert [each[1] for each in stages] == ["python:3.13-slim-bookworm"] * 2
    assert stages[0][2:] == ["AS", "build"]
    assert [each[1] for each in words if each[0] == "USER"] == ["10001:10001"]
    assert any({"--require-hashes", "requirements.lock"} <= set(each) for each in words)
    assert {each[1] for each in words if each[0] == "COPY" and each[1].startswith("--from")} == {"--from=build"}


def test_compose_has_every_part_and_starts_them_in_order() -> None:
    """Law: nothing runs before the job of set-up is done, nothing asks a server that does not answer yet."""
    services = _compose()["services"]
    waits = {
        name: {on: how["condition"] for on, how in each.get("depends_on", {}).items()}
        for name, each in services.items()
    }

    assert waits == {
        "database": {},
        "prefect": {"database": "service_healthy"},
        "setup": {"database": "service_healthy", "prefect": "service_healthy"},
        "worker": {"setup": "service_completed_successfully"},
        "api": {"setup": "service_completed_successfully"},
    }
    assert all("healthcheck" in services[name] for name in ("database", "prefect", "api"))


def test_compose_shows_itself_to_this_machine_only() -> None:
    """Law: ports are bound to 127.0.0.1, images have a version, ours gain no privileges."""
    services = _compose()["services"]

    assert [
        port for each in services.values() for port in each.get("ports", []) if not port.startswith("127.0.0.1:")
    ] == []
    assert {each["image"] for each in services.values()} == {
        "postgres:18-bookworm",
        "loyalty-flows:${LOYALTY_RELEASE:-0.1.0}",
    }
    assert {tuple(each.get("cap_drop", [])) for name, each in services.items() if name != "database"} == {("ALL",)}


def test_compose_has_no_secret_of_its_own() -> None:
    """Law: passwords and the zone must be given; each variable is one of the example's."""
    text = (FOLDER / "compose.yaml").read_text()
    asked = dict(re.findall(r"\$\{(\w+):(-|\?)", text))

    assert asked.keys() - EXAMPLE.keys() == {"LOYALTY_RELEASE"}
    assert {name for name, how in asked.items() if how == "?"} == {
        name for name in asked if EXAMPLE.get(name) == ""
    } - {"LOYALTY_SCHEDULES"}


def test_workers_and_servers_are_set_as_the_local_ones() -> None:
    """Law: heartbeats, and how the server keeps its records, are the same wherever it runs."""
    services = _compose()["services"]
    server = [{each["name"]: each.get("value") for each in _pods()["prefect"]["containers"][0]["env"]}]
    batches = {name: value for name, value in stack._SERVER.items() if "TASK_RUN_RECORDER" in name}
    heartbeat = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
    job = _template()["variables"]["properties"]["env"]["default"]

    assert batches.items() <= services["prefect"]["environment"].items()
    assert batches.items() <= server[0].items()
    assert services["worker"]["environment"][heartbeat] == job[heartbeat] == stack._WORKER[heartbeat]


def test_the_job_template_is_what_prefect_takes() -> None:
    """Law: its variables are a JSON schema whose defaults fit it, each explained; each placeholder is a variable."""
    template = _template()
    properties = template["variables"]["properties"]
    defaults = {name: each["default"] for name, each in properties.items() if "default" in each}
    is_valid_schema(template["variables"])
    validate(defaults, template["variables"], raise_on_error=True)

    assert set(PLACEHOLDER.findall(json.dumps(template["job_configuration"]))) == properties.keys()
    assert [name for name, each in properties.items() if not each["description"].endswith(".")] == []
    assert {"name", "env", "labels", "command"} <= properties.keys()  # what Prefect's base gives every worker


@pytest.mark.parametrize("name", ["prefect", "setup", "prefect-worker", "api"])
def test_pods_run_without_privileges(name: str) -> None:
    """Law: no root, no capabilities, memory bounded, images with a version."""
    pod = _pods()[name]
    container = pod["containers"][0]

    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert "memory" in container["resources"]["limits"]
    assert re.search(r":\d+\.\d+\.\d+", container["image"])


def test_manifests_name_what_is_there() -> None:
    """Law: everything is in the namespace; the claim and the secret of jobs are the manifests'; the pool is ours."""
    defaults = {name: each.get("default") for name, each in _template()["variables"]["properties"].items()}
    spaces = {each["metadata"].get("namespace") for each in _manifests() if each["kind"] != "Namespace"}
    claims = [each["metadata"]["name"] for each in _manifests() if each["kind"] == "PersistentVolumeClaim"]

    assert spaces == {defaults["namespace"]} == {"loyalty"}
    assert claims == [defaults["files_claim"]]
    assert _pods()["api"]["containers"][0]["envFrom"] == [{"secretRef": {"name": defaults["secret"]}}]
    assert _pods()["api"]["containers"][0]["image"] == defaults["image"]
    assert _pods()["prefect-worker"]["containers"][0]["args"][:5] == ["prefect", "worker", "start", "--pool", pool.POOL]

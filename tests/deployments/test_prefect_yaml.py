"""prefect.yaml beside the flows."""

import importlib
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow

from deployments.stack import POOL

ROOT = Path(__file__).parents[2]


def _deployments() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return found


def test_every_flow_is_deployed_under_its_own_name() -> None:
    """Law: a flow is a module of flows/ with a Flow of the same name; each has one deployment, by its module."""
    names = {path.stem for path in (ROOT / "flows").glob("[!_]*.py")}
    flows = {name for name in names if isinstance(getattr(importlib.import_module(f"flows.{name}"), name, None), Flow)}

    assert {each["name"] for each in _deployments()} == flows
    assert [each["entrypoint"] for each in _deployments()] == [
        f"flows.{each['name']}:{each['name']}" for each in _deployments()
    ]


def test_deployments_are_one_at_a_time_on_one_pool_and_rest_until_switched_on() -> None:
    """Law: one work pool, a limit of one run each, no schedule that begins by itself."""
    deployments = _deployments()
    schedules = [schedule for each in deployments for schedule in each.get("schedules", [])]

    assert {each["work_pool"]["name"] for each in deployments} == {POOL}
    assert {each["concurrency_limit"]["limit"] for each in deployments} == {1}
    assert {(each["active"], each["timezone"]) for each in schedules} == {(False, "{{ $LOYALTY_TIME_ZONE }}")}

"""prefect.yaml beside the flows."""

import importlib
from collections import Counter
from pathlib import Path

import yaml
from prefect import Flow

from deployments.pool import POOL, QUEUES
from deployments.programme import YAML, wanted

ROOT = Path(__file__).parents[2]
LIMITS = {
    "manager_review": None,  # as many wait as there are approvals
    "drain_inbox": {"limit": 1, "collision_strategy": "CANCEL_NEW"},  # the next comes within a minute
}
ONE_AT_A_TIME = {"limit": 1, "collision_strategy": "ENQUEUE"}


def test_every_flow_is_deployed_under_its_own_name() -> None:
    """Law: a flow is a module of flows/ with a Flow of the same name; each has one deployment, by its module."""
    names = {path.stem for path in (ROOT / "flows").glob("[!_]*.py")}
    flows = {name for name in names if isinstance(getattr(importlib.import_module(f"flows.{name}"), name, None), Flow)}

    assert Counter(each["name"] for each in wanted()) == Counter(flows)
    assert [each["entrypoint"] for each in wanted()] == [f"flows.{each['name']}:{each['name']}" for each in wanted()]


def test_deployments_share_a_pool_and_wait_for_their_turn() -> None:
    """Law: one work pool, a queue of it that is known, and a limit of one run at a time that lets the others wait."""
    limits = {each["name"]: each.get("concurrency_limit") for each in wanted()}

    assert {each["work_pool"]["name"] for each in wanted()} == {POOL}
    assert {each["work_pool"]["work_queue_name"] for each in wanted()} <= QUEUES.keys()
    assert limits == {name: LIMITS.get(name, ONE_AT_A_TIME) for name in limits}


def test_a_deployment_tells_what_it_is() -> None:
    """Law: a description in Markdown that begins with what it does, the tag by which ours are found, the version."""
    assert [each["name"] for each in wanted() if not each["description"].startswith("**")] == []
    assert [each["name"] for each in wanted() if "loyalty" not in each["tags"]] == []
    assert {each["version"] for each in wanted()} == {"{{ programme.version }}"}


def test_schedules_are_in_the_programmes_zone_and_active_as_deploying_says() -> None:
    """Law: no schedule begins by itself, and no two have one name: by it the UI's choice is kept."""
    schedules = [schedule for each in wanted() for schedule in each.get("schedules", [])]
    slugs = [schedule["slug"] for schedule in schedules]

    assert len(slugs) == len(set(slugs)) > 0
    assert {each["timezone"] for each in schedules} == {"{{ programme.zone }}"}
    assert [each["active"] for each in schedules] == [f"{{{{ programme.active.{slug} }}}}" for slug in slugs]


def test_deploying_needs_no_variable() -> None:
    """Law: what is filled in comes from the build step, so `prefect --no-prompt deploy --all` works anywhere."""
    text = YAML.read_text()

    assert yaml.safe_load(text)["build"] == [{"deployments.programme.known": {"id": "programme"}}]
    assert "$" not in text

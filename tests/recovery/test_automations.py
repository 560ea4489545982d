"""The automations of Prefect's server: made once, kept up to date, and left off where somebody switched them off."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments import automations, stack
from deployments.automations import SILENCE_SECONDS
from deployments.programme import wanted
from deployments.recovery import TAG
from loyalty.errors import ConfigurationError
from loyalty.messages.staff_look import RUN_FAILED, staff_voice
from tests.flows.conftest import Prefect

ENGLISH = staff_voice(RUN_FAILED, ("en",), "", ZoneInfo("UTC"))


def test_registering_again_changes_nothing(prefect_server: Prefect) -> None:
    """Law: by name, once each; the second time none is touched, and one that was switched off stays off."""
    first = _registered(prefect_server)
    off = first[0]
    httpx.patch(f"{prefect_server.api}/automations/{off['id']}", json={"enabled": False}, timeout=30).raise_for_status()
    second = _registered(prefect_server)

    assert len({each["name"] for each in first}) == len(first) == 7
    assert second[1:] == first[1:]
    assert (second[0]["id"], second[0]["enabled"]) == (off["id"], False)


def test_a_block_that_can_tell_nobody_is_refused(prefect_server: Prefect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: LOYALTY_STAFF_BLOCK names a block that is there and can notify, or the registration says so."""
    monkeypatch.setenv("LOYALTY_STAFF_BLOCK", "slack-webhook/nobody")
    with pytest.raises(ConfigurationError) as missing:
        _registered(prefect_server)

    assert str(missing.value) == "LOYALTY_STAFF_BLOCK names no block of this Prefect server: slack-webhook/nobody"


@pytest.mark.parametrize(("flow", "watched"), [("monthly_loyalty", True), ("manager_review", False)])
def test_a_run_that_waits_for_a_manager_is_not_taken_for_dead(flow: str, *, watched: bool) -> None:
    """Law: by the server's own reading of the trigger, silence means death for every run of ours but an approval's."""
    [wanted_one] = [each for each in automations.automations(uuid4(), ENGLISH) if each.name == automations.SILENCE]
    related = [
        {"prefect.resource.id": "prefect.flow.1", "prefect.resource.role": "flow", "prefect.resource.name": flow},
        {"prefect.resource.id": "prefect.deployment.1", "prefect.resource.role": "deployment"},
        {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"},
    ]
    heartbeat = ReceivedEvent.model_validate(
        {
            "id": uuid4(),
            "occurred": datetime.now(UTC),
            "event": "prefect.flow-run.heartbeat",
            "resource": {"prefect.resource.id": "prefect.flow-run.1"},
            "related": related,
        }
    )

    assert EventTrigger.model_validate(wanted_one.trigger.model_dump()).covers(heartbeat) is watched


def test_every_deployment_is_watched() -> None:
    """Law: each bears the tag that the automations go by, and workers let flows give more than one sign of life."""
    assert [each["name"] for each in wanted() if TAG not in each["tags"]] == []
    assert int(stack._WORKER["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]) * 2 < SILENCE_SECONDS


def _registered(server: Prefect) -> list[dict[str, Any]]:
    """Register, and read what the server then has, by name."""
    with temporary_settings({PREFECT_API_URL: server.api}):
        automations.register(lambda _line: None)
    found = [each for each in server.filtered("automations", limit=200) if each["name"].startswith("Loyalty: ")]
    return sorted(found, key=lambda each: str(each["name"]))

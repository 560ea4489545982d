"""The automations of Prefect's server: made once, kept up to date, and left off where somebody switched them off."""

from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments import automations, stack
from deployments.automations import SILENCE_SECONDS
from deployments.programme import wanted
from deployments.recovery import TAG
from loyalty.errors import ConfigurationError
from tests.flows.conftest import Prefect


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

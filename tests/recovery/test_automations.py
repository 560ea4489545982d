"""The automations of Prefect's server: made once, kept up to date, and left off where somebody switched them off."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from prefect.events.actions import SendNotification
from prefect.events.worker import EventsWorker
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.schemas.core import FlowRun
from prefect.server.schemas.states import State, StateType
from prefect.server.utilities.user_templates import register_user_template_filters, render_user_template_sync
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments import automations, stack
from deployments.automations import SILENCE_SECONDS
from deployments.programme import wanted
from deployments.recovery import TAG
from loyalty.errors import ConfigurationError
from loyalty.messages.staff_look import RUN_FAILED, staff_voice
from tests.flows.conftest import Prefect

MEND = "Mend what that names, then press Retry on the run's page."
AGAIN = "It begins again by itself, 3 times at most."
ES = "La ejecución 2026-02 de close dice:"
ES_AGAIN = "Vuelve a empezar por sí sola, 3 veces como máximo."
ES_LATE = "Ningún worker la toma: `loyalty doctor` dice por qué y `make up` pone uno en marcha."
AR_FAILED = "\u200f\u200eclose 2026-02\u200e: فشل التشغيل"
AR = "التشغيل \u200e2026-02\u200e من close:"
AR_MEND = "أصلح ما يرد أعلاه، ثم اضغط Retry في صفحة التشغيل."
ENGLISH = staff_voice(RUN_FAILED, ("en",), "", ZoneInfo("UTC"))


@pytest.fixture
def registering(prefect_server: Prefect) -> Iterator[Prefect]:
    """The server, asked from this process. Prefect's event client ends with the test.

    Left behind, it would seek the server that has gone, and draw its pauses from the `random` that Hypothesis watches.
    """
    yield prefect_server
    EventsWorker.drain_all(timeout=10)


def test_registering_again_changes_nothing(registering: Prefect) -> None:
    """Law: by name, once each; the second time none is touched, and one that was switched off stays off."""
    first = _registered(registering)
    off = first[0]
    registering.ask("PATCH", f"automations/{off['id']}", {"enabled": False})
    second = _registered(registering)

    assert len({each["name"] for each in first}) == len(first) == 7
    assert second[1:] == first[1:]
    assert (second[0]["id"], second[0]["enabled"]) == (off["id"], False)


def test_a_block_that_can_tell_nobody_is_refused(registering: Prefect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: LOYALTY_STAFF_BLOCK names a block that is there and can notify, or the registration says so."""
    monkeypatch.setenv("LOYALTY_STAFF_BLOCK", "slack-webhook/nobody")
    with pytest.raises(ConfigurationError) as missing:
        _registered(registering)

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


@pytest.mark.parametrize(
    ("language", "what", "begun", "subject", "said"),
    [
        ("en", "failed", 1, "close 2026-02 failed", ["close, run 2026-02: no room", "", MEND]),
        ("en", "crashed", 1, "close 2026-02 crashed", ["close, run 2026-02: no room", "", AGAIN]),
        ("en", "crashed", 0, "close 2026-02 crashed", ["close, run 2026-02: no room", "", MEND]),
        ("es", "crashed", 1, "close 2026-02 se ha interrumpido", [ES, "    no room", "", ES_AGAIN]),
        ("es", "is late", 0, "close 2026-02 va con retraso", [ES, "    no room", "", ES_LATE]),
        ("ar", "failed", 1, AR_FAILED, [AR, "    no room", "", AR_MEND]),
    ],
)
def test_what_staff_are_told(language: str, what: str, begun: int, subject: str, said: list[str]) -> None:
    """Law: the server fills in run, state and page, and says whether the run begins again, in staff's language."""
    speaker = staff_voice(RUN_FAILED, (language,), "", ZoneInfo("UTC"))
    name = f"Loyalty: staff are told of a run that {what}"
    [found] = [each for each in automations.automations(uuid4(), speaker) if each.name == name]
    [action] = found.actions
    assert isinstance(action, SendNotification)
    state = State(type=StateType.FAILED, message="no room")
    run = FlowRun(flow_id=uuid4(), name="2026-02", run_count=begun, state=state)
    told = {"deployment": SimpleNamespace(name="close"), "flow_run": run}
    register_user_template_filters({"ui_url": lambda _run: "PAGE"})

    assert render_user_template_sync(action.subject, told) == subject
    assert render_user_template_sync(action.body, told).splitlines() == [*said, "PAGE"]


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

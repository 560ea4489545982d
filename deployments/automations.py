"""Automations of Prefect's server: staff are told of a run that went wrong, and a run that crashed begins again.

A run whose process died is found by its heartbeats: every flow sends one each 30 seconds (deployments/stack.py), and
one that has sent none for SILENCE_SECONDS is Crashed. A crashed run begins again, with its number, its parameters and
its page in the UI; the database knows what is done. After RESTARTS it is left Failed, with what to do. A run that a
person cancelled is Cancelled, never Crashed, so nothing here begins it again.

Staff are told in the programme's first language, as it is when this is registered.

They look only at runs of deployments tagged `loyalty`, so that other work on the same server is not touched. Whoever
switches one off in the UI finds it off after the next registration.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect.automations import Automation
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from blocks._settings_block import DOCUMENT
from blocks.staff_messages import StaffMessages
from deployments.recovery import MESSAGE, NAME, RESTARTS, SETTLING_SECONDS, SILENT, TAG
from loyalty.errors import ConfigurationError
from loyalty.messages.staff_look import RUN_FAILED, RunNews, run_words, staff_voice
from loyalty.messages.voice import Voice
from loyalty.settings import settings

SILENCE_SECONDS = 90
START_SECONDS = 120  # from a worker's claim of a run to its beginning
QUIET = timedelta(hours=1)  # one message an hour of each kind for a deployment, whatever goes wrong in it
SILENCE = "Loyalty: a run that went silent is crashed"
SETTLED = "Loyalty: a crashed run begins again"
_STAFF_BLOCK = "LOYALTY_STAFF_BLOCK"
_RUN = "prefect.flow-run."
_OF_OURS = [
    {"prefect.resource.role": "deployment"},
    {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"},
]
# A run that waits for a manager is silent because it has no process. A server just started may hold back for minutes
# the event that says so, and take the run for dead; one that did die is replaced by the daily flow.
_NO_APPROVAL = {"prefect.resource.role": "flow", "prefect.resource.name": "!manager_review"}
_GIVEN_UP = (
    f"Crashed more than {RESTARTS} times: read the log of this run and of its worker, mend the cause, then press Retry"
    " on this page."
)


def register(say: Callable[[str], None], languages: tuple[str, ...] = ("en",)) -> None:
    """Make the automations, or bring them up to date; again changes nothing. `languages` are the programme's.

    Raises ConfigurationError if the block that LOYALTY_STAFF_BLOCK names is not there, or can't notify.
    """
    with get_client(sync_client=True) as client:
        speaker = staff_voice(RUN_FAILED, languages, "", ZoneInfo("UTC"))
        for wanted in automations(_staff_block(speaker.language), speaker):
            there = client.read_automations_by_name(wanted.name)
            if not there:
                client.create_automation(wanted)
            elif _content(there[0]) != _content(wanted):
                Automation(id=there[0].id, **_content(wanted), enabled=there[0].enabled).update()
            say(f"registered automation {wanted.name}")


def automations(staff: UUID, speaker: Voice) -> list[AutomationCore]:
    """All of them. `staff` is the block document by which staff are told, `speaker` how."""
    few = [str(count) for count in range(1, RESTARTS + 1)]
    many = [f"[{RESTARTS + 1}-9]", "[1-9][0-9]*"]  # as file names are matched
    again = ChangeFlowRunState(state=StateType.SCHEDULED, name=NAME, message=MESSAGE)
    return [
        _automation(
            SILENCE,
            _followed_by_nothing("heartbeat", seconds=SILENCE_SECONDS, of=[*_OF_OURS, _NO_APPROVAL]),
            ChangeFlowRunState(state=StateType.CRASHED, message=SILENT),
        ),
        _automation(
            "Loyalty: a run that never began begins again",
            _followed_by_nothing("Pending", "Submitting", seconds=START_SECONDS),
            again,
        ),
        _automation(
            SETTLED,
            _followed_by_nothing("Crashed", seconds=SETTLING_SECONDS, runs=few),
            again,
        ),
        _automation(
            "Loyalty: a run that crashed too often fails",
            _seen("Crashed", runs=many),
            ChangeFlowRunState(state=StateType.FAILED, message=_GIVEN_UP),
        ),
        _telling(staff, "failed", ["Failed", "TimedOut"], _words(speaker, "failed")),
        _telling(staff, "crashed", ["Crashed"], _words(speaker, "crashed")),
        _telling(staff, "is late", ["Late"], _words(speaker, "late")),
    ]


def _staff_block(language: str) -> UUID:
    """The block document by which staff are told; ours is made if it is not there yet, and told the language."""
    wanted = settings().staff_block
    try:
        block: Block = Block.load(wanted)  # type: ignore[assignment]  # sync here: no event loop is running
    except ValueError as error:
        if wanted != f"{StaffMessages.get_block_type_slug()}/{DOCUMENT}":
            raise ConfigurationError(_STAFF_BLOCK, f"names no block of this Prefect server: {wanted}") from error
        return cast("UUID", StaffMessages(language=language).save(DOCUMENT))
    if "notify" not in block.get_block_capabilities():
        raise ConfigurationError(_STAFF_BLOCK, f"names a block that notifies nobody: {wanted}")
    if isinstance(block, StaffMessages) and block.language != language:
        block.language = language
        block.save(wanted.partition("/")[2], overwrite=True)
    return cast("UUID", block._block_document_id)  # noqa: SLF001 - Prefect tells it nowhere else


def _automation(name: str, trigger: EventTrigger, action: ActionTypes) -> AutomationCore:
    return AutomationCore(name=name, trigger=trigger, actions=[action])


def _followed_by_nothing(
    *events: str, seconds: int, runs: Sequence[str] = (), of: Sequence[dict[str, str]] = _OF_OURS
) -> EventTrigger:
    """A run of ours of which nothing is heard for a while after such an event; `runs` is how often it has begun.

    `of` is what a run must belong to, as labels of its related resources.
    """
    begun = {"prefect.run-count": list(runs)} if runs else {}  # heartbeats do not tell
    return EventTrigger(
        posture=Posture.Proactive,
        after={_RUN + event for event in events},
        expect={f"{_RUN}*"},
        match={"prefect.resource.id": f"{_RUN}*"} | begun,
        match_related=list(of),
        for_each={"prefect.resource.id"},
        within=timedelta(seconds=seconds),
    )


def _seen(*states: str, runs: Sequence[str] = ("*",), once_in: timedelta = timedelta(0)) -> EventTrigger:
    """A run of ours comes into such a state, having begun so often; one of a deployment's in the time `once_in`."""
    each = "related:deployment:prefect.resource.id" if once_in else "prefect.resource.id"
    return EventTrigger(
        posture=Posture.Reactive,
        expect={_RUN + state for state in states},
        match={"prefect.resource.id": f"{_RUN}*", "prefect.run-count": list(runs)},
        match_related=_OF_OURS,
        for_each={each},
        within=once_in,
    )


def _telling(staff: UUID, what: str, states: Sequence[str], words: tuple[str, str]) -> AutomationCore:
    subject, body = words
    return _automation(
        f"Loyalty: staff are told of a run that {what}",
        _seen(*states, once_in=QUIET),
        SendNotification(block_document_id=staff, subject=subject, body=body),
    )


def _words(speaker: Voice, what: Literal["failed", "crashed", "late"]) -> tuple[str, str]:
    """Subject and body as templates that Prefect's server fills in when it tells."""
    news = RunNews(
        deployment="{{ deployment.name }}",
        run="{{ flow_run.name }}",
        url="{{ flow_run|ui_url }}",
        what=what,
        said=lambda otherwise: f"{{{{ flow_run.state.message or {json.dumps(otherwise, ensure_ascii=False)} }}}}",
        restarts=RESTARTS,
    )
    subject, body = run_words(news, speaker)
    if what == "crashed":  # before it began at all, nothing begins it again
        again = run_words(replace(news, again=True), speaker)[1]
        body = f"{{% if flow_run.run_count %}}{again}{{% else %}}{body}{{% endif %}}"
    return subject, body


def _content(automation: AutomationCore) -> dict[str, Any]:
    """What we say of an automation, not what the server adds or people choose."""
    return automation.model_dump(include={"name", "description", "trigger", "actions"})

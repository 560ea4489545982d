"""The runs of manager_review: asked for, found again where they were lost, ended where somebody else decided.

All of it goes over Prefect's API by HTTP, so that commands need not load Prefect. The database says what waits; what
stands in Prefect is only its form.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from flows import prefect_api
from loyalty.db import approval_runs
from loyalty.db.approval_runs import Waiting
from loyalty.db.approvals import run_name
from loyalty.errors import Unavailable
from loyalty.rules.periods import display_period

FLOW = "manager_review"
TAG = "approval"
ANSWER_KEY = "answer"
_ALIVE = {"SCHEDULED", "PENDING", "RUNNING", "PAUSED"}
_AT_WORK = {"PENDING", "RUNNING"}
_PATIENCE = timedelta(minutes=15)  # a run is at work for seconds: one that long has lost its process
_INPUTS = 200  # what a run's forms leave: three rows each


def ask_for_all(address: str) -> int:
    """See that each approval that waits has one run that asks for it; how many runs had to be made.

    Raises Unavailable if the server does not answer, or has no deployment of the flow.
    """
    waiting = approval_runs.waiting()
    if not waiting:
        return 0
    deployment = prefect_api.ask(address, f"deployments/name/{FLOW}/{FLOW}", "GET")["id"]
    states = _states(address, (each.flow_run_id for each in waiting if each.flow_run_id))
    return sum(_ask(address, deployment, each, states) for each in waiting)


def end_decided(address: str) -> int:
    """End the runs that still ask for what the command line, another run or time has decided; how many."""
    rows = approval_runs.to_end()
    states = _states(address, (row.flow_run_id for row in rows))
    ended = 0
    for row in rows:
        state = states.get(row.flow_run_id)
        if state is not None and state["type"] in _AT_WORK and not _lost_its_process(state):
            continue  # it is just deciding: the next look finds it ended
        if state is not None and state["type"] in _ALIVE:
            who = "nobody decided in time" if row.decided_by == "system" else f"decided elsewhere, by {row.decided_by}"
            _set_state(address, row.flow_run_id, "COMPLETED", f"{who}: {row.told}")
            ended += 1
        approval_runs.end(row.approval_no, row.attempt)
    return ended


def is_alive(address: str, flow_run_id: str) -> bool:
    """Whether a run asks, or will: it is scheduled, at work, or suspended with its form."""
    state = _states(address, [flow_run_id]).get(flow_run_id)
    return state is not None and _asks(address, flow_run_id, state)


def inputs(address: str, flow_run_id: str, prefix: str) -> dict[str, Any]:
    """What a run's forms left under keys that begin so: schemas, descriptions, answers. Nothing, if the run is gone."""
    found = prefect_api.ask(address, f"flow_runs/{flow_run_id}/input/filter", prefix=prefix, limit=_INPUTS)
    return {each["key"]: _told(each["value"]) for each in found}


def _told(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value  # a description is plain text


def _ask(address: str, deployment: str, waiting: Waiting, states: dict[str, Any]) -> bool:
    """See that an approval has a run; whether one had to be made."""
    attempt = waiting.attempt or 0
    if waiting.flow_run_id is not None:
        state = states.get(waiting.flow_run_id)
        if state is not None and _asks(address, waiting.flow_run_id, state):
            return False
        if state is not None and state["type"] in _ALIVE:
            _set_state(address, waiting.flow_run_id, "CANCELLED", "lost its process or its form: another run asks")
    attempt += 1
    made = prefect_api.ask(
        address,
        f"deployments/{deployment}/create_flow_run",
        name=run_name(waiting.kind, waiting.occasion),
        parameters={"approval_no": waiting.approval_no},
        tags=[TAG, *([f"period:{display_period(waiting.period)}"] if waiting.period else [])],
        idempotency_key=waiting.key(attempt),
    )
    return approval_runs.add(waiting.approval_no, attempt, made["id"])


def _asks(address: str, flow_run_id: str, state: dict[str, Any]) -> bool:
    if state["type"] not in _ALIVE or _lost_its_process(state):
        return False
    if state["type"] != "PAUSED" or _age(state) < _PATIENCE:
        return True
    # a process that died just after it was suspended left no form: nobody could answer it
    form = state["state_details"].get("run_input_keyset") or {}
    return form.get("schema") in inputs(address, flow_run_id, f"suspended-{ANSWER_KEY}")


def _lost_its_process(state: dict[str, Any]) -> bool:
    return state["type"] in _AT_WORK and _age(state) > _PATIENCE


def _age(state: dict[str, Any]) -> timedelta:
    """How long a run has been in its state: by the clock of Prefect's server, which is the system's."""
    return datetime.now(UTC) - datetime.fromisoformat(state["timestamp"])


def _states(address: str, flow_run_ids: Iterable[str]) -> dict[str, Any]:
    """The states of runs by their ids; runs that the server does not know are left out."""
    wanted = sorted(set(flow_run_ids))
    if not wanted:
        return {}
    found: list[Any] = []
    for first in range(0, len(wanted), _INPUTS):
        some = {"id": {"any_": wanted[first : first + _INPUTS]}}
        found += prefect_api.ask(address, "flow_runs/filter", flow_runs=some, limit=_INPUTS)
    return {each["id"]: each["state"] for each in found if each["state"]}


def _set_state(address: str, flow_run_id: str, kind: str, message: str) -> None:
    """Bring a run to an end from outside."""
    answer = prefect_api.ask(
        address, f"flow_runs/{flow_run_id}/set_state", state={"type": kind, "message": message}, force=True
    )
    if answer["status"] != "ACCEPT":
        raise Unavailable(f"Prefect's server does not end run {flow_run_id}: {answer['details'].get('reason')}")

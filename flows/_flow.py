"""What every flow is in Prefect: its name, its settings, and how it ends: in one line, also where it fails."""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, cast
from uuid import UUID

import httpx
from prefect import Flow
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Completed, Crashed, Failed

from blocks._settings_block import take_settings
from blocks.registry import EVERY_FLOW
from flows._form import titled
from flows._task_runner import ChosenTaskRunner, threads
from loyalty.db.programme import check_ready
from loyalty.errors import ConfigurationError, LoyaltyError, Unavailable, WorkLost

P = ParamSpec("P")
PATIENCE_SECONDS = 90  # for a database that does not answer as a run begins
PAUSE_SECONDS = 5
PROGRESS_SECONDS = 0.5  # between two updates of a run's progress


class _CalledFlow(Flow[P, Any]):
    """A flow that sends no heartbeats where it is called: by a command, or by another flow.

    They tell that a deployment's run lives (deployments/automations.py), and a worker does not call a flow. Prefect
    waits for its heart at the end of each run, up to a second.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the flow, as Prefect's flows do."""
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            return super().__call__(*args, **kwargs)


def programme_flow(
    *, run_name: str | Callable[[], str], in_batches: bool = False
) -> Callable[[Callable[P, str]], Flow[P, Any]]:
    """Make a flow of a function that returns what it did, in a line: the message of the run's last state.

    An error that the library reports becomes the state's message, without a traceback, and is raised to whoever
    called the flow: Failed, if a person has to mend something; Crashed, if the database or Prefect's server went away,
    and then the automations begin the run again. So the function must be right however often it begins. Nothing is
    kept as a result: the database remembers.
    `in_batches`: its tasks run where LOYALTY_TASK_RUNNER says.
    """

    def make(work: Callable[P, str]) -> Flow[P, Any]:
        @wraps(work)
        def told(*args: P.args, **kwargs: P.kwargs) -> Any:
            def begun() -> str:
                check_ready()  # else a database that lacks something fails in words of its own
                return work(*args, **kwargs)

            _keep_tracebacks_out()
            take_settings(EVERY_FLOW)
            try:
                return Completed(message=_patiently(begun))
            except (Unavailable, WorkLost) as error:
                get_run_logger().error("%s", _line(error))
                return Crashed(message=_line(error), data=error)
            except httpx.TransportError as error:
                message = f"Prefect's server does not answer: {type(error).__name__}"
                get_run_logger().error("%s", message)
                return Crashed(message=message, data=Unavailable(message))
            except (LoyaltyError, ConfigurationError) as error:
                get_run_logger().error("%s", _line(error))
                return Failed(message=_line(error), data=error)

        told.__signature__ = titled(work)  # type: ignore[attr-defined]  # what Prefect makes its form of

        def named() -> str:
            take_settings(EVERY_FLOW)
            try:
                return cast("Callable[[], str]", run_name)()
            except (LoyaltyError, ConfigurationError):
                return work.__name__  # the run itself fails by the same error, and tells it

        return _CalledFlow(
            fn=told,
            name=work.__name__,
            flow_run_name=named if callable(run_name) else run_name,
            task_runner=cast("Any", ChosenTaskRunner()) if in_batches else threads(),
            persist_result=False,
        )

    return make


def ended(flow: Flow[..., Any], **parameters: Any) -> str:
    """Run a flow in this process, below the flow that runs; its last state's message. Raises what it failed with."""
    state = cast("State[Any]", flow(**parameters, return_state=True))
    state.result()
    return state.message or state.name or ""


class Progress:
    """A run's progress artifact, made when there is something to show and updated in place.

    Prefect's server takes longer for an update than many a step takes: what follows within PROGRESS_SECONDS shares one.
    """

    def __init__(self, description: str) -> None:
        self._description = description
        self._artifact: UUID | None = None
        self._shown_at = 0.0

    def show(self, share: float) -> None:
        """Show a share between 0 and 1, the first time by making the artifact; the whole is always shown."""
        if self._artifact is None:
            made = create_progress_artifact(100 * share, description=self._description)
            self._artifact = cast("UUID", made)  # sync, in a flow that is
        elif share == 1 or time.monotonic() > self._shown_at + PROGRESS_SECONDS:
            update_progress_artifact(self._artifact, 100 * share)
        else:
            return
        self._shown_at = time.monotonic()


def _line(error: Exception) -> str:
    """What happened, and in which step, if it was in one."""
    steps = getattr(error, "__notes__", ())
    return f"{error} ({', '.join(steps)})" if steps else str(error)


class _WithoutTraceback(logging.Filter):
    """What the library reports is told in a line: a run's log shows no traceback of it, and the engine's not at all."""

    def filter(self, record: logging.LogRecord) -> bool:
        ours = record.exc_info and isinstance(record.exc_info[1], LoyaltyError | ConfigurationError)
        if ours:
            record.exc_info = None
        return not ours or record.name == "prefect.task_runs"


_WITHOUT_TRACEBACK = _WithoutTraceback()


def _keep_tracebacks_out() -> None:
    for name in ("prefect.flow_runs", "prefect.task_runs", "prefect.engine"):
        logging.getLogger(name).addFilter(_WITHOUT_TRACEBACK)  # once, however often


def _patiently(work: Callable[[], str]) -> str:
    """Do the work; a deployed run, for which nobody waits, gives a database that does not answer some time to come up.

    Raises Unavailable if it does not, or if it goes away later.
    """
    running = FlowRunContext.get()  # prefect.runtime would ask the server
    deployed = running and running.flow_run and running.flow_run.deployment_id
    deadline = time.monotonic() + (PATIENCE_SECONDS if deployed else 0)
    while True:
        try:
            return work()
        except Unavailable as error:
            if time.monotonic() > deadline:
                raise
            get_run_logger().warning("%s; begun again in %s s", error, PAUSE_SECONDS)
            time.sleep(PAUSE_SECONDS)

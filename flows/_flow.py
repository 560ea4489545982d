"""What every flow is in Prefect: its name, its settings, and how it ends: in one line, also where it fails."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, cast
from uuid import UUID

from prefect import Flow
from prefect.artifacts import create_progress_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from blocks._settings_block import take_settings
from blocks.registry import BLOCKS
from loyalty.errors import ConfigurationError, LoyaltyError
from loyalty.monthly import MOST_BATCHES

P = ParamSpec("P")


def programme_flow(*, run_name: str | Callable[[], str]) -> Callable[[Callable[P, str]], Flow[P, Any]]:
    """Make a flow of a function that returns what it did, in a line: the message of the run's last state.

    An error that the library reports becomes the state's message, without a traceback, and is raised to whoever
    called the flow. Nothing is kept as a result: the database remembers.
    """

    def make(work: Callable[P, str]) -> Flow[P, Any]:
        @wraps(work)
        def told(*args: P.args, **kwargs: P.kwargs) -> Any:
            take_settings(BLOCKS)
            try:
                return Completed(message=work(*args, **kwargs))
            except (LoyaltyError, ConfigurationError) as error:
                get_run_logger().error("%s", error)
                return Failed(message=str(error), data=error)

        def named() -> str:
            take_settings(BLOCKS)
            try:
                return cast("Callable[[], str]", run_name)()
            except (LoyaltyError, ConfigurationError):
                return work.__name__  # the run itself fails by the same error, and tells it

        runner = cast("TaskRunner[Any]", ThreadPoolTaskRunner(max_workers=MOST_BATCHES))
        return Flow(
            fn=told,
            name=work.__name__,
            flow_run_name=named if callable(run_name) else run_name,
            task_runner=runner,
            persist_result=False,
        )

    return make


def ended(flow: Flow[..., Any], **parameters: Any) -> str:
    """Run a flow in this process, below the flow that runs; its last state's message. Raises what it failed with."""
    state = cast("State[Any]", flow(**parameters, return_state=True))
    state.result()
    return state.message or state.name or ""


def new_progress(share: float, description: str) -> UUID:
    """Make a progress artifact, at `share` percent, that will be updated in place; its id."""
    return cast("UUID", create_progress_artifact(share, description=description))  # sync, in a flow that is

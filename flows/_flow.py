"""What every flow is in Prefect: its name, its run's name, its settings, and how it fails: in one line that says what to do."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from blocks._settings_block import take_settings
from blocks.registry import BLOCKS
from loyalty.errors import ConfigurationError, LoyaltyError
from loyalty.monthly import MOST_BATCHES

P = ParamSpec("P")
R = TypeVar("R")


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

        return Flow(
            fn=told,
            name=work.__name__,
            flow_run_name=run_name,
            task_runner=ThreadPoolTaskRunner(max_workers=MOST_BATCHES),
            persist_result=False,
        )

    return make

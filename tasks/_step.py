"""What every step is as a Prefect task: its number, its name in the UI, its retries, its log."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.runtime import task_run
from prefect.tasks import exponential_backoff

from loyalty.db.closing import Batch, Moves
from loyalty.db.engine import is_retryable
from loyalty.errors import LoyaltyError
from loyalty.monthly import REPORTS, STEPS

RETRIES = 3
BACKOFF_SECONDS = 2  # then 4, then 8, each up to half as long again
_NUMBERS = {each.name: each.number for each in STEPS}

M = TypeVar("M", bound=Moves)


def step(work: Callable[[M, Batch], int]) -> Task[[M, Batch], int]:
    """Make a step of a function that does its work for a batch and returns the rows written.

    The database remembers what is done, so Prefect must not: no cache, no stored result. What the driver calls
    operational is tried again; wrong data would be as wrong the next time.
    """

    @wraps(work)
    def logged(moves: M, batch: Batch) -> int:
        try:
            rows = work(moves, batch)
        except LoyaltyError as error:
            error.add_note(f"step {task_run.name}")  # the run that fails by it says where
            raise
        get_run_logger().info("%s: %s", task_run.name, written(work.__name__, rows))
        return rows

    return Task(
        fn=logged,
        name=work.__name__,
        task_run_name=_run_name,
        retries=RETRIES,
        retry_delay_seconds=exponential_backoff(BACKOFF_SECONDS),
        retry_jitter_factor=0.5,
        retry_condition_fn=_may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def written(name: str, rows: int) -> str:
    """What a step has written: 1,234 rows, or of a report its revision."""
    return f"revision {rows}" if name in REPORTS else f"{rows:,} {'row' if rows == 1 else 'rows'}"


def _run_name() -> str:
    """Name a run so that the UI sorts by step, then members: 01 retrieve_customer_profile [1, 20001)."""
    batch: Batch = task_run.parameters["batch"]
    name: str = task_run.task_name
    return f"{_NUMBERS[name]:02} {name} [{batch.first}, {batch.stop})"


def _may_pass(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, BaseException) and is_retryable(failure)

"""The order of the steps and the policy of their tasks, looked at without a server."""

import importlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest
from prefect.cache_policies import NO_CACHE
from prefect.states import Failed, State

from flows.monthly_loyalty import TASKS
from loyalty.errors import BadInput, Unavailable, WorkLost, WrongUse
from loyalty.monthly import REPORTS, STEPS, Terms, all_ended
from tasks import _step

ROOT = Path(__file__).parents[2]


def test_the_flow_runs_every_task_there_is_in_the_order_of_the_steps() -> None:
    """Law: fifteen steps, numbered from 1, each with a task, a file and SQL of its own name."""
    names = [step.name for step in STEPS]

    assert [step.number for step in STEPS] == list(range(1, 16))
    assert list(TASKS) == names
    assert {path.stem for path in (ROOT / "tasks").glob("[!_]*.py")} == set(names)
    assert [name for name in names if getattr(importlib.import_module(f"tasks.{name}"), name) is not TASKS[name]] == []
    assert [step.name for step in STEPS if step.whole] == list(REPORTS)


def test_a_task_keeps_nothing_and_is_tried_four_times() -> None:
    """Law: no cache, no stored result, three retries, each later than the one before."""
    policies = {
        (task.cache_policy == NO_CACHE, task.persist_result, task.retries, tuple(task.retry_delay_seconds or ()))
        for task in TASKS.values()
        if isinstance(task.retry_delay_seconds, list)
    }

    assert policies == {(True, False, 3, (2, 4, 8))}


@pytest.mark.parametrize(
    ("failure", "again"),
    [
        (Unavailable("the database is away"), True),
        (psycopg2.OperationalError("server closed the connection"), True),
        (BadInput("a wrong amount"), False),
        (WorkLost("the working rows are gone"), False),
        (ValueError("a mistake of ours"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_may_pass_is_tried_again(failure: Exception, again: bool) -> None:
    """Law: errors that the driver calls operational are retried, wrong data is not."""
    task = TASKS["retrieve_customer_profile"]
    state: State[object] = Failed(data=failure)

    assert _step._may_pass(task, None, state) is again  # type: ignore[arg-type]


def test_a_failure_is_raised_when_nothing_runs_any_more() -> None:
    """Law: the barrier waits for every batch, also when the first has failed, so that no work outlives the lock."""
    first_failed, ended = threading.Event(), threading.Event()

    def fail() -> int:
        first_failed.set()
        raise Unavailable("the database is away")

    def work() -> int:
        first_failed.wait()
        ended.set()
        return 7

    with ThreadPoolExecutor(2) as threads:
        started = [threads.submit(fail), threads.submit(work)]
        with pytest.raises(Unavailable):
            all_ended(started)
        assert ended.is_set()
        assert all_ended([threads.submit(work), threads.submit(work)]) == 14


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"batches": 0}, "a month is closed in 1 to 6 batches, not 0"),
        ({"batches": 7}, "a month is closed in 1 to 6 batches, not 7"),
        ({"reviews": "approve"}, "reviews are approved in somebody's name: say whose"),
        ({"reviews": "approve", "decided_by": " "}, "reviews are approved in somebody's name: say whose"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object], message: str) -> None:
    """Law: a month's terms are checked before anything is touched."""
    with pytest.raises(WrongUse) as caught:
        Terms(**terms)  # type: ignore[arg-type]

    assert str(caught.value) == message

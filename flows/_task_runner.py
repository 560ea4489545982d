"""What works on the batches of a run side by side: threads, or the processes of Dask or Ray (LOYALTY_TASK_RUNNER)."""

import os
from typing import Any, cast

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from loyalty.errors import ConfigurationError
from loyalty.monthly import MOST_BATCHES
from loyalty.settings import settings

_SETTING = "LOYALTY_TASK_RUNNER"


class ChosenTaskRunner(ThreadPoolTaskRunner[Any]):
    """Stands in a flow for the task runner that is chosen when a run begins."""

    def __init__(self) -> None:
        super().__init__(max_workers=MOST_BATCHES)

    def duplicate(self) -> TaskRunner[Any]:  # type: ignore[override]
        """The task runner of a run. Raises ConfigurationError if its extra is not installed."""
        return chosen()


def threads() -> TaskRunner[Any]:
    """Threads of the run's own process."""
    return cast("TaskRunner[Any]", ThreadPoolTaskRunner(max_workers=MOST_BATCHES))


def chosen() -> TaskRunner[Any]:
    """The task runner that the settings name; Dask and Ray without an address start processes on this machine.

    Processes elsewhere need the settings LOYALTY_* of their own, LOYALTY_DATABASE_URL above all.
    """
    name, address = settings().task_runner, settings().task_runner_address
    processes = min(MOST_BATCHES, os.cpu_count() or 1)
    if name == "threads":
        return threads()
    try:
        if name == "dask":
            from prefect_dask import DaskTaskRunner  # noqa: PLC0415 - an extra, and a second to load

            local = {"n_workers": processes, "threads_per_worker": 1, "dashboard_address": None}
            runner = DaskTaskRunner(address=address) if address else DaskTaskRunner(cluster_kwargs=local)
            return cast("TaskRunner[Any]", runner)
        from prefect_ray import RayTaskRunner  # noqa: PLC0415 - see above

        alone = {} if address else {"num_cpus": processes, "include_dashboard": False}
        return cast("TaskRunner[Any]", RayTaskRunner(address=address, init_kwargs=alone))
    except ImportError as error:
        raise ConfigurationError(_SETTING, f"is {name}: install the extra, loyalty-flows[{name}]") from error

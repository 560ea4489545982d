"""One close through the real flow, in this process: `python -m tests.bench.measured_run 2026-10`.

Prints a JSON object: seconds of the flow from call to return, seconds of each step from its first task's start to its
last one's end as Prefect recorded them, and this process's peak memory. The programme and Prefect are those of the
environment.
"""

import json
import os
import resource
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx

from flows.monthly_loyalty import monthly_loyalty
from loyalty.monthly import STEPS

RECORD_SECONDS = 60  # Prefect's server records task runs some seconds late


def main() -> None:
    """Close the month and print what it took."""
    called, started = datetime.now(UTC), time.perf_counter()
    state: Any = monthly_loyalty(period=sys.argv[1], return_state=True)
    seconds, returned = time.perf_counter() - started, datetime.now(UTC)
    state.result()
    told = {
        "seconds": seconds,
        "peak_memory_mb": _megabytes(resource.RUSAGE_SELF),
        "children_memory_mb": _megabytes(resource.RUSAGE_CHILDREN),
        "steps": _steps(state.state_details.flow_run_id, called, state.timestamp, returned),
    }
    sys.stdout.write(json.dumps(told) + "\n")


def _megabytes(whose: int) -> float:
    """The most memory ever resident: kilobytes on Linux, bytes on macOS."""
    most = resource.getrusage(whose).ru_maxrss
    return round(most / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def _steps(flow_run: UUID | None, called: datetime, ended: datetime, returned: datetime) -> dict[str, float]:
    """Seconds of each step, and of what is around them.

    `begin` is all before the first step, expiry too; `finish` all after the last one; `prefect` what is between steps
    and after the flow's end.
    """
    spans: dict[str, tuple[datetime, datetime]] = {}
    for task in _tasks(flow_run):
        name = task["name"].partition(" [")[0]
        first, last = datetime.fromisoformat(task["start_time"]), datetime.fromisoformat(task["end_time"])
        known = spans.get(name, (first, last))
        spans[name] = min(first, known[0]), max(last, known[1])
    seconds = {name: (last - first).total_seconds() for name, (first, last) in sorted(spans.items())}
    begin = (min(first for first, _ in spans.values()) - called).total_seconds()
    finish = (ended - max(last for _, last in spans.values())).total_seconds()
    rest = (returned - called).total_seconds() - begin - finish - sum(seconds.values())
    return {"begin": begin} | seconds | {"finish": finish, "prefect": rest}


def _tasks(flow_run: UUID | None) -> list[dict[str, Any]]:
    """The run's task runs, once all fifteen steps are recorded and none is added any more."""
    before, deadline = -1, time.monotonic() + RECORD_SECONDS
    while time.monotonic() < deadline:
        body = {"flow_runs": {"id": {"any_": [str(flow_run)]}}}
        answer = httpx.post(f"{os.environ['PREFECT_API_URL']}/task_runs/filter", json=body, timeout=30)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        ended = [task for task in found if task["end_time"]]
        if len({task["name"][:2] for task in ended}) == len(STEPS) and len(found) == len(ended) == before:
            return ended
        before = len(ended)
        time.sleep(1)
    raise TimeoutError("Prefect's server has not recorded the task runs")


if __name__ == "__main__":
    main()

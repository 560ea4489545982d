"""When a run is begun again by itself, and the runs that only the local stack can know of: whose process is gone.

Automations (deployments/automations.py) see to it while Prefect's server runs. After a reboot they take up to fifteen
minutes: the server handles an event that follows another from before its start only then. Loads no Prefect.
"""

import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.prefect_api import ask

TAG = "loyalty"  # of every deployment in prefect.yaml
RESTARTS = 3  # of a run by itself; then a person has to look
SETTLING_SECONDS = 30  # a worker reports a crash twice, seconds apart: the second time must not hit the new attempt
SILENT = "No sign of life: its process was killed, or lost its network."
NAME = "AwaitingRetry"
MESSAGE = (
    "Begun again by itself, because its process or its database went away."
    " What was done stays done, and nothing is done twice."
)
_LATELY = timedelta(days=1)


def begin_again(address: str) -> list[str]:
    """Begin the runs again that crashed, or whose process on this machine is gone; their names.

    Cancelled runs stay cancelled, and those that have begun too often stay as they are.
    """
    found = ask(
        address,
        "flow_runs/filter",
        flow_runs={
            "tags": {"all_": [TAG]},
            "deployment_id": {"is_null_": False},
            "state": {"type": {"any_": ["PENDING", "RUNNING", "CRASHED"]}},
        },
        limit=200,
    )
    again = [run for run in found if run["run_count"] <= RESTARTS and _is_gone(run)]
    for run in again:
        state = {"type": "SCHEDULED", "name": NAME, "message": MESSAGE}
        ask(address, f"flow_runs/{run['id']}/set_state", state=state)
    return [run["name"] for run in again]


def _is_gone(run: dict[str, Any]) -> bool:
    state = run["state"]
    since = datetime.now(UTC) - datetime.fromisoformat(state["timestamp"])
    settled = since > timedelta(seconds=SETTLING_SECONDS) or state["message"] == SILENT
    if since > _LATELY or not settled:
        return False
    if state["type"] == "CRASHED":
        return bool(run["run_count"])  # one that crashed as it began would do so again
    return run["infrastructure_pid"] is not None and not _is_run(run["infrastructure_pid"])


def _is_run(process: str) -> bool:
    """Whether a process of that number lives and runs flows; by another of that number the run's is gone."""
    ps = ["/bin/ps", "-p", process, "-o", "command="]
    return "prefect" in subprocess.run(ps, capture_output=True, text=True, check=False).stdout

"""Heartbeats of flow runs: who sends them, through a real Prefect server."""

import subprocess
import sys

from tests.flows.conftest import ROOT, Command

TWO_WAYS = """
from prefect.flow_engine import run_flow
from prefect.settings import get_current_settings
from flows._flow import programme_flow

@programme_flow(run_name="heart")
def heart() -> str:
    return str(get_current_settings().flows.heartbeat_frequency)

for state in (heart(return_state=True), run_flow(heart, return_type="state")):
    print(state.message)
"""


def test_a_worker_s_run_sends_heartbeats_and_a_called_one_does_not(through_prefect: Command) -> None:
    """Law: a worker's run tells that it lives, by Prefect's setting; who calls a flow does not wait for its heart."""
    done = subprocess.run([sys.executable, "-c", TWO_WAYS], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "None\n180\n"), done.stderr

"""Runs that the local stack begins again as it comes up: those that nobody else will."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from deployments import recovery
from tests.flows.conftest import Prefect

TAG = "begun-again"  # not ours: the server's automations leave these runs alone
NOBODY = str(2**22 + 1)  # above any process number of Linux


@pytest.fixture
def alive() -> Iterator[str]:
    """The number of a process that might run a flow."""
    process = subprocess.Popen([sys.executable, "-c", "input()  # prefect"], stdin=subprocess.PIPE)
    yield str(process.pid)
    process.communicate(b"\n")


def test_only_runs_without_a_process_begin_again(
    prefect_server: Prefect, alive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: crashed or running nowhere, begun before but not too often, one of ours, and cancelled by nobody."""
    monkeypatch.setattr(recovery, "SETTLING_SECONDS", 0)
    monkeypatch.setattr(recovery, "TAG", TAG)
    runs = _Runs(prefect_server)
    wanted = [
        runs.made("its process is gone", "RUNNING", process=NOBODY),
        runs.made("crashed", "RUNNING", "CRASHED"),
        runs.made("crashed twice", "RUNNING", "CRASHED", "SCHEDULED", "RUNNING", "CRASHED"),
    ]
    runs.made("its process lives", "RUNNING", process=alive)
    runs.made("crashed as it began", "CRASHED")
    runs.made("crashed too often", *["RUNNING", "CRASHED", "SCHEDULED"] * 3, "RUNNING", "CRASHED")
    runs.made("cancelled", "RUNNING", "CANCELLED", process=NOBODY)
    runs.made("being cancelled", "RUNNING", "CANCELLING", process=NOBODY)
    runs.made("done", "RUNNING", "COMPLETED", process=NOBODY)
    runs.made("another's", "RUNNING", process=NOBODY, tags=["other"])

    assert sorted(recovery.begin_again(prefect_server.api)) == sorted(wanted)
    assert recovery.begin_again(prefect_server.api) == []
    assert {run["name"] for run in prefect_server.runs(TAG) if run["state"]["name"] == recovery.NAME} == set(wanted)


class _Runs:
    """Runs of a deployment of their own, as the server would have them."""

    def __init__(self, server: Prefect) -> None:
        self._server = server
        flow = self._ask("flows/", name="begun again")["id"]
        self._deployment = self._ask("deployments/", name="begun again", flow_id=flow)["id"]

    def made(self, name: str, *states: str, process: str | None = None, tags: list[str] | None = None) -> str:
        """A run that has gone through these states; its name."""
        run = self._ask(f"deployments/{self._deployment}/create_flow_run", name=name, tags=tags or [TAG])["id"]
        for state in states:
            self._ask(f"flow_runs/{run}/set_state", state={"type": state}, force=True)
        self._server.ask("PATCH", f"flow_runs/{run}", {"infrastructure_pid": process})
        return name

    def _ask(self, path: str, **body: Any) -> Any:
        return self._server.post(path, body)

"""Processes found again and stopped by number and birth."""

import os
import sys
from pathlib import Path

import pytest

from deployments import processes
from deployments.processes import Process

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)",
]


def _started(command: list[str], folder: Path) -> Process:
    log = folder / "log"
    process = processes.start(command, environment=os.environ, folder=folder, log=log)
    while not log.read_text():
        assert process.lives
    return process


def test_a_process_is_stopped_once(tmp_path: Path) -> None:
    """Law: stop ends it and says so; the second time there is nothing to stop."""
    process = _started(SLEEP, tmp_path)

    assert process.lives
    assert [processes.stop(process), processes.stop(process), process.lives] == [True, False, False]
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_process_that_does_not_listen_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: who ignores the request to end is killed."""
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.5)
    process = _started(DEAF, tmp_path)

    assert processes.stop(process)
    assert not process.lives


def test_anothers_process_is_left_alone() -> None:
    """Law: a number that belongs to somebody else by now is not ours to stop."""
    other = Process(os.getpid(), "another birth")

    assert not other.lives
    assert not processes.stop(other)

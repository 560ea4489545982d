"""Processes that outlive the command that starts them: started, found again, and stopped by no number but their own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process known by its number and the instant of its birth: the number alone may be another's by now."""

    pid: int
    born: str

    @property
    def lives(self) -> bool:
        """Whether that very process is still there."""
        return _born(self.pid) == self.born


def start(command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path) -> Process:
    """Start a process in a session of its own, its output added to a log that only the owner may read."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
        started = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = Process(started.pid, _born(started.pid) or "")
    threading.Thread(target=started.wait, daemon=True).start()  # whoever ends it: until note is taken it is a zombie
    return process


def stop(process: Process) -> bool:
    """End a process and what it started; True if it was there. It is asked to, and after a while made to."""
    there = process.lives
    if there:
        os.kill(process.pid, signal.SIGTERM)
        if not _gone(process, STOP_SECONDS):
            os.killpg(process.pid, signal.SIGKILL)
            _gone(process, STOP_SECONDS)
    return there


def _gone(process: Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process.lives:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _born(pid: int) -> str | None:
    """The instant of birth of a living process, in whatever notation the system has; None of a dead one or a zombie."""
    if sys.platform == "linux":
        try:
            told = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = told.rpartition(")")[2].split()  # from the third on: the name before may hold anything
        return None if fields[0] == "Z" else f"{_boot()} {fields[19]}"
    ps = ["/bin/ps", "-p", str(pid), "-o", "stat=,lstart="]
    state, _, born = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.strip().partition(" ")
    return born.strip() if state and not state.startswith("Z") else None


def _boot() -> str:
    """The machine's present boot: births are counted from it, and after the next one they may be the same again."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

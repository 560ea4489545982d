"""Processes that outlive the command that starts them: started, found again, and stopped by no number but their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 15.0

_children: dict[int, "subprocess.Popen[bytes]"] = {}  # of this process: it has to take note of their end


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
    _note_ended()
    _children[started.pid] = started
    return Process(started.pid, _born(started.pid) or "")


def stop(process: Process) -> bool:
    """End a process and what it started; True if it was there. It is asked to, and after a while made to."""
    there = process.lives
    if there:
        os.kill(process.pid, signal.SIGTERM)
        if not _gone(process, STOP_SECONDS):
            os.killpg(process.pid, signal.SIGKILL)
            _gone(process, STOP_SECONDS)
    _note_ended()
    return there


def _note_ended() -> None:
    """Take note of the children that have ended, whoever ended them: until then they are zombies."""
    for pid in [pid for pid, child in _children.items() if child.poll() is not None]:
        del _children[pid]


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

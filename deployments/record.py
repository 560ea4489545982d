"""What the local stack remembers of itself between commands: LOYALTY_HOME/prefect/stack.json."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deployments.ports import HOST
from deployments.processes import Process
from loyalty.settings import settings


@dataclass(frozen=True, slots=True)
class Part:
    """A process of the stack, the digest of what it was started with, and its port if it listens."""

    process: Process
    surroundings: str
    port: int | None = None

    @property
    def lives(self) -> bool:
        """Whether that very process is still there."""
        return self.process.lives


@dataclass(frozen=True, slots=True)
class Stack:
    """What was started: Prefect's worker and server, the HTTP API; and the digest of what is deployed."""

    worker: Part | None = None
    server: Part | None = None
    service: Part | None = None
    deployed: str = ""

    @property
    def port(self) -> int | None:
        """The port of Prefect's server, if one was started."""
        return self.server.port if self.server else None

    @property
    def http_port(self) -> int | None:
        """The port of our own HTTP API, if it was started."""
        return self.service.port if self.service else None

    @property
    def api(self) -> str:
        """The address of Prefect's API."""
        return f"{self.ui}/api"

    @property
    def ui(self) -> str:
        """The address of Prefect's UI."""
        return f"http://{HOST}:{self.port}"

    @property
    def http(self) -> str:
        """The address of our own HTTP API."""
        return f"http://{HOST}:{self.http_port}"

    def parts(self, *, missing: bool = False) -> dict[str, Part]:
        """The processes by name, in the order in which they are stopped; those never started too if asked for."""
        named = {"Prefect worker": self.worker, "Prefect server": self.server, "API": self.service}
        return {name: part or Part(nobody(), "") for name, part in named.items() if part or missing}


def nobody() -> Process:
    """A process that isn't there."""
    return Process(0, "never")


def read() -> Stack:
    """The stack as it was last left: its processes may have died since. A file of another release counts as none."""
    try:
        kept: dict[str, Any] = json.loads(_file().read_text(encoding="utf-8"))
        parts = {name: kept[name] and _part(kept[name]) for name in ("worker", "server", "service")}
        return Stack(**parts, deployed=kept["deployed"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Stack()


def write(stack: Stack) -> None:
    """Keep it whole or not at all: `down` goes by it."""
    unfinished = _file().with_suffix(".unfinished")
    unfinished.write_text(json.dumps(asdict(stack), indent=2) + "\n", encoding="utf-8")
    unfinished.replace(_file())


def forget() -> None:
    """Nothing is up."""
    _file().unlink(missing_ok=True)


def log(name: str) -> Path:
    """The log of a part."""
    return settings().home_folder / "logs" / f"{name}.log"


@contextmanager
def locked() -> Iterator[None]:
    """One up or down at a time."""
    folder = _file().parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _part(kept: dict[str, Any]) -> Part:
    return Part(Process(**kept["process"]), kept["surroundings"], kept["port"])


def _file() -> Path:
    return settings().home_folder / "prefect" / "stack.json"

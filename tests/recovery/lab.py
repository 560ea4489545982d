"""A Prefect server and workers of one's own, in which runs are killed and watched as they come back."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import Connection, text

from deployments import processes, stack
from deployments.processes import Process
from tests.laws import gate

ROOT = Path(__file__).parents[2]
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PATIENCE_S = 240

# how often the server looks for what did not happen; each five seconds in production
HASTY = {"PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT1S"}


@dataclass
class Lab:
    """One server with its home; workers as they are started. LOYALTY_* settings are those of the environment."""

    home: Path
    hasty: bool = True
    port: int = 0
    server: Process | None = None
    workers: list[Process] = field(default_factory=list)

    @property
    def api(self) -> str:
        """The address of the server's API."""
        return f"http://127.0.0.1:{self.port}/api"

    def environment(self) -> dict[str, str]:
        """What the lab's processes see."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        own = {
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": self.api,
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": str(ROOT),
        }
        return kept | own | stack._SERVER | stack._WORKER | (HASTY if self.hasty else {})

    def start_server(self) -> None:
        """Start the server, on its old port if it had one, and wait for its answer."""
        self.port = self.port or _free_port()
        command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        self.server = self._start("server", *command)
        for _ in range(900):
            try:
                if httpx.get(f"{self.api}/health", timeout=5).is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
            assert self.server.lives, (self.home / "server.log").read_text()
        raise AssertionError("the Prefect server does not answer")

    def start_worker(self) -> Process:
        """Start another worker of the pool."""
        name = f"worker-{len(self.workers)}"
        worker = self._start(name, "prefect", "worker", "start", "--pool", "loyalty", "--type", "process", "-n", name)
        self.workers.append(worker)
        return worker

    def register(self) -> None:
        """Everything that a server needs of us."""
        command = [sys.executable, "-m", "deployments.register"]
        done = subprocess.run(command, env=self.environment(), cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def hasten(self, automation: str, seconds: int) -> None:
        """Let an automation that waits for something wait only so long."""
        (found,) = [each for each in self.ask("automations/filter", limit=200) if each["name"] == automation]
        found["trigger"]["within"] = seconds
        wanted = {part: found[part] for part in ("name", "description", "enabled", "trigger", "actions")}
        httpx.put(f"{self.api}/automations/{found['id']}", json=wanted, timeout=30).raise_for_status()

    def ask(self, path: str, method: str = "POST", **body: Any) -> Any:
        """What the API answers."""
        answer = httpx.request(method, f"{self.api}/{path}", json=body or None, timeout=30)
        return answer.raise_for_status().json()

    def begin(self, name: str, **parameters: Any) -> str:
        """Let a deployment run; the run's id."""
        deployment = self.ask(f"deployments/name/{name}/{name}", "GET")["id"]
        return str(self.ask(f"deployments/{deployment}/create_flow_run", parameters=parameters)["id"])

    def run(self, number: str) -> Any:
        """A run, as the server knows it."""
        return self.ask(f"flow_runs/{number}", "GET")

    def history(self, number: str) -> list[tuple[str, str]]:
        """The states of a run in order, each with its message."""
        found = httpx.get(f"{self.api}/flow_run_states/", params={"flow_run_id": number}, timeout=30).json()
        return [(each["name"], each["message"] or "") for each in sorted(found, key=lambda each: each["timestamp"])]

    def awaited(self, number: str, fulfilled: Callable[[Any], bool], seconds: float = PATIENCE_S) -> Any:
        """The run, once it is as wanted."""
        deadline = time.monotonic() + seconds
        while not fulfilled(run := self.run(number)):
            assert time.monotonic() < deadline, self.history(number)
            time.sleep(0.1)
        return run

    def completed(self, number: str, seconds: float = PATIENCE_S) -> Any:
        """The run, once it is completed."""
        return self.awaited(number, lambda run: run["state"]["type"] == "COMPLETED", seconds)

    def flow_processes(self) -> list[psutil.Process]:
        """The processes in which the workers' flows run, and theirs."""
        found = []
        for worker in filter(lambda each: each.lives, self.workers):
            found += psutil.Process(worker.pid).children(recursive=True)
        return found

    def kill_all(self) -> None:
        """Kill the workers and whatever they started, at once."""
        dying = [*self.workers, *self.flow_processes()]
        for process in dying:
            kill(process)
        self.workers.clear()

    def stop(self) -> None:
        """Stop whatever still runs."""
        left = self.flow_processes()
        for process in (*self.workers, *filter(None, [self.server])):
            processes.stop(process)
        for process in left:
            kill(process)

    def _start(self, name: str, *command: str) -> Process:
        self.home.mkdir(parents=True, exist_ok=True)
        log = self.home / f"{name}.log"
        return processes.start([sys.executable, "-m", *command], environment=self.environment(), folder=ROOT, log=log)


@contextmanager
def opened(home: Path, *, hasty: bool = True) -> Iterator[Lab]:
    """A lab with a server that has our deployments and automations; no worker yet."""
    lab = Lab(home, hasty)
    try:
        lab.start_server()
        lab.register()
        yield lab
    finally:
        lab.stop()


def kill(process: Process | psutil.Process) -> None:
    """SIGKILL, and wait until it is gone."""
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    if isinstance(process, Process):
        processes.stop(process)
    else:
        psutil.wait_procs([process], timeout=10)


def told(home: Path) -> list[tuple[str, str]]:
    """The subjects and texts of the messages that staff got."""
    read = [
        message_from_bytes(file.read_bytes(), policy=SMTP) for file in sorted(home.glob("outbox/*/staff-Loyalty-*.eml"))
    ]
    words = [next(email.iter_parts()).get_content() for email in read]  # the text, in front of the HTML
    return [(str(email["subject"]), said.replace("\r\n", "\n")) for email, said in zip(read, words, strict=True)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_gate(keeper: Connection) -> None:
    """Wait until a run stands at the gate."""
    waiting = text(f"select count(*) from pg_locks where locktype = 'advisory' and objid = {gate.GATE} and not granted")
    deadline = time.monotonic() + PATIENCE_S
    while not keeper.scalar(waiting):
        keeper.rollback()
        assert time.monotonic() < deadline, "no run came there"
        time.sleep(0.05)
    keeper.rollback()

"""The local stack: `python -m deployments.stack up | down | status`.

The embedded PostgreSQL, with Prefect's own database beside the programme's; a Prefect server, a process worker and the
deployments of prefect.yaml. All of it lives in LOYALTY_HOME and listens on 127.0.0.1. Up again changes nothing; down
stops what up started, and nothing else. LOYALTY_PREFECT_PORT names the server's port (4200).
"""

import fcntl
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from deployments import processes
from deployments.processes import Process
from flows import prefect_api
from loyalty.commands.failures import guarded
from loyalty.db import embedded
from loyalty.db.programme import check_ready
from loyalty.errors import Refused, Unavailable, WrongUse
from loyalty.settings import PREFIX, settings

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"
PORT_SETTING = "LOYALTY_PREFECT_PORT"
PORTS_TRIED = 100
POOL = "loyalty"
SERVER_SECONDS = 90
REQUEST_SECONDS = 30
WORKER_SECONDS = 60

Say = Callable[[str], None]

# what the server keeps of task runs is written in batches: a third of the work, and none is lost in a burst
_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}
_WORKER = {"PREFECT_WORKER_QUERY_SECONDS": "1"}


@dataclass(frozen=True, slots=True)
class Stack:
    """What is up: the server, the worker with the digest of its surroundings, and the digest of what is deployed."""

    port: int | None = None
    server: Process | None = None
    worker: Process | None = None
    surroundings: str = ""
    deployed: str = ""

    @property
    def api(self) -> str:
        """The address of Prefect's API."""
        return f"http://{HOST}:{self.port}/api"

    @property
    def ui(self) -> str:
        """The address of Prefect's UI."""
        return f"http://{HOST}:{self.port}"


def up(say: Say) -> Stack:
    """Bring up whatever is not up; how the stack then is. Raises Unavailable, and says in which log to look."""
    with _locked():
        stack = _with_server(_read(), say)
        zone = {"LOYALTY_TIME_ZONE": _zone()}  # schedules are told in it
        deployed = _digest(_sources(), zone)
        jobs = []
        if stack.deployed != deployed:
            _make_pool(stack)
            environment = _environment(stack) | zone
            jobs = [
                _run(environment, "-m", "prefect", "--no-prompt", "deploy", "--all"),
                _run(environment, "-m", "deployments.register"),
            ]
        stack = _with_worker(stack, say)
        for job in jobs:
            _finished(job)
        stack = replace(stack, deployed=deployed)
        _write(stack)
        _await_worker(stack)
        return stack


def down(say: Say) -> None:
    """Stop worker, server and the embedded database of this LOYALTY_HOME."""
    with _locked():
        stack = _read()
        for name, process in (("worker", stack.worker), ("server", stack.server)):
            if process and processes.stop(process):
                say(f"Prefect {name} stopped")
        prefect_api.record().unlink(missing_ok=True)
        _file().unlink(missing_ok=True)
    if embedded.stop():
        say("embedded database stopped")


def found() -> Stack:
    """The stack as it was last left; its processes may have died since."""
    return _read()


def ask(stack: Stack, path: str, method: str = "POST", **body: Any) -> Any:
    """What the server's API answers. Raises Unavailable if it doesn't, or refuses."""
    try:
        answer = httpx.request(method, f"{stack.api}/{path}", json=body, timeout=REQUEST_SECONDS)
        return answer.raise_for_status().json()
    except httpx.HTTPError as error:
        told = str(error).partition("\n")[0]
        raise Unavailable(f"Prefect's server does not answer as it should ({told}): see {_log('server')}") from error


def _with_server(stack: Stack, say: Say) -> Stack:
    """The stack with a server that answers: the one that is there, or a new one."""
    if stack.server and stack.server.lives and prefect_api.answers(stack.api):
        return stack
    for left in filter(None, (stack.worker, stack.server)):  # one without the other is of no use
        processes.stop(left)
    stack = Stack(port=_port(say))
    environment = _environment(stack) | _SERVER | _database(say)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(stack.port)]
    server = processes.start(command, environment=environment, folder=ROOT, log=_log("server"))
    stack = replace(stack, server=server)
    _write(stack)
    deadline = time.monotonic() + SERVER_SECONDS
    while not prefect_api.answers(stack.api):
        if not server.lives or time.monotonic() > deadline:
            raise Unavailable(f"Prefect's server does not start: see {_log('server')}")
        time.sleep(0.1)
    prefect_api.record().write_text(f"{stack.api}\n", encoding="utf-8")
    return stack


def _database(say: Say) -> dict[str, str]:
    """Prefect's own database: beside the programme's where there is an embedded server, else a file of SQLite."""
    try:
        embedded.start()
        url = embedded.create_database("prefect")
    except Unavailable as error:
        say(f"Prefect keeps its records in SQLite ({error})")
        return {}
    return {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url.replace("postgresql://", "postgresql+asyncpg://", 1)}


def _with_worker(stack: Stack, say: Say) -> Stack:
    """The stack with a worker whose runs see the settings of now; one with other settings is replaced."""
    surroundings = _digest(_surroundings())
    if stack.worker and stack.worker.lives:
        if stack.surroundings == surroundings:
            return stack
        say("the worker is started again with the present settings")
        processes.stop(stack.worker)
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    worker = processes.start(command, environment=_environment(stack) | _WORKER, folder=ROOT, log=_log("worker"))
    stack = replace(stack, worker=worker, surroundings=surroundings)
    _write(stack)
    return stack


def _make_pool(stack: Stack) -> None:
    """The work pool, before the deployments that name it; the worker brings its details."""
    if not any(pool["name"] == POOL for pool in ask(stack, "work_pools/filter")):
        ask(stack, "work_pools/", name=POOL, type="process")


def _await_worker(stack: Stack) -> None:
    deadline = time.monotonic() + WORKER_SECONDS
    while True:
        if any(worker["status"] == "ONLINE" for worker in ask(stack, f"work_pools/{POOL}/workers/filter")):
            return
        if not (stack.worker and stack.worker.lives) or time.monotonic() > deadline:
            raise Unavailable(f"Prefect's worker does not start: see {_log('worker')}")
        time.sleep(0.2)


def _zone() -> str:
    """The programme's zone, or the one that it will have."""
    try:
        return check_ready().key
    except Refused:  # it is not set up yet
        return settings().time_zone


def _run(environment: dict[str, str], *command: str) -> "subprocess.Popen[bytes]":
    """Start a short job of set-up, told to the log `deploy`."""
    log = _log("deploy")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )


def _finished(job: "subprocess.Popen[bytes]") -> None:
    if job.wait() != 0:
        raise Unavailable(f"the deployments can't be made: see {_log('deploy')}")


def _environment(stack: Stack) -> dict[str, str]:
    """What our processes see: the settings of now, this home, and nothing of the user's own Prefect."""
    home = settings().home_folder
    (home / "prefect").mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | {
        "LOYALTY_HOME": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": stack.api,
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(ROOT),
        "PWD": str(ROOT),
    }


def _surroundings() -> dict[str, str]:
    """The settings that runs see."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def _sources() -> dict[str, str]:
    """What the deployments are made from."""
    files = [
        ROOT / "prefect.yaml",
        *(path for folder in ("flows", "blocks") for path in sorted((ROOT / folder).glob("*.py"))),
    ]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}


def _digest(*parts: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _port(say: Say) -> int:
    """The port wanted, or the next one that is free. Raises ConfigurationError if the setting is none."""
    wanted = settings().prefect_port
    for port in range(wanted, wanted + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        if port != wanted:
            say(f"port {wanted} is taken: Prefect's server is at {port} ({PORT_SETTING} chooses another)")
        return port
    raise Unavailable(f"no port from {wanted} on is free: set {PORT_SETTING}")


def _log(name: str) -> Path:
    return settings().home_folder / "logs" / f"prefect-{name}.log"


def _file() -> Path:
    return settings().home_folder / "prefect" / "stack.json"


def _read() -> Stack:
    try:
        kept: dict[str, Any] = json.loads(_file().read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return Stack()
    for name in ("server", "worker"):
        kept[name] = kept[name] and Process(**kept[name])
    return Stack(**kept)


def _write(stack: Stack) -> None:
    """Keep it whole or not at all: `down` goes by it."""
    unfinished = _file().with_suffix(".unfinished")
    unfinished.write_text(json.dumps(asdict(stack), indent=2) + "\n", encoding="utf-8")
    unfinished.replace(_file())


@contextmanager
def _locked() -> Iterator[None]:
    """One up or down at a time."""
    folder = _file().parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def status(say: Say) -> bool:
    """Tell what is up; whether all is."""
    stack, database = _read(), embedded.status()
    parts = {
        f"Prefect server {stack.ui if stack.port else ''}".strip(): bool(stack.server and stack.server.lives),
        "Prefect worker": bool(stack.worker and stack.worker.lives),
        "embedded database": database.running,
    }
    for name, lives in parts.items():
        say(f"{name}: {'up' if lives else 'down'}")
    return all(parts.values())


def main(arguments: list[str]) -> int:
    """Run a command line; its exit code."""
    match arguments:
        case ["up"]:
            stack = up(print)
            print(f"Prefect is up: {stack.ui}\nstop it with: make down")
        case ["down"]:
            down(print)
        case ["status"]:
            return 0 if status(print) else 1
        case _:
            raise WrongUse("python -m deployments.stack up | down | status")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1:])))

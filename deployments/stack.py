"""The local stack: `python -m deployments.stack up | down | status`.

The embedded PostgreSQL, with Prefect's own database beside the programme's; a Prefect server, a process worker, the
deployments of prefect.yaml, and the HTTP API. All of it lives in LOYALTY_HOME and listens on 127.0.0.1. Up again
mends what is broken and leaves the rest alone, also after a reboot; down stops what up started, and nothing else.
LOYALTY_PREFECT_PORT and LOYALTY_API_PORT name the ports (4200, 8000).
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version as installed
from typing import Any

import httpx

from deployments import pool, ports, processes, record, recovery
from deployments.programme import ROOT, languages, version, wanted, zone
from deployments.record import HOST, Part, Stack, locked, log
from flows import prefect_api
from loyalty.commands.failures import guarded
from loyalty.db import embedded
from loyalty.errors import Unavailable, WrongUse
from loyalty.settings import PREFIX, settings

SERVER_SECONDS = 90
WORKER_SECONDS = 60
SERVICE_SECONDS = 30
ANSWER_SECONDS = 5
RUNS_AT_ONCE = 4  # of the worker: beyond that the queues' order says who is next

Say = Callable[[str], None]

_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # what the server keeps of task runs is written in batches: a third of the work, and none is lost in a burst
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    # runs that died while the server was away are found when it is back: it remembers for a day whom it waits for
    "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "P1D",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "120",
}
_WORKER = {
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # by which automations find the runs whose process died
    "PREFECT_CLIENT_MAX_RETRIES": "7",  # a run outlasts four minutes without Prefect's server, instead of one
}
_PASSWORDS = {"PREFECT_SERVER_API_AUTH_STRING", prefect_api.PASSWORD}  # all that is taken of the user's own Prefect


def up(say: Say) -> Stack:
    """Bring up whatever is not up; how the stack then is. Raises Unavailable, and says in which log to look."""
    with locked():
        database = _database(say)
        stack = _with_server(record.read(), database, say)
        stack = _with_service(stack, say)
        _await_server(stack)
        deployed = _digest(
            {"version": version(), "zone": zone(), "languages": languages(), "schedules": settings().schedules}
        )
        registering = None
        if stack.deployed != deployed or not _all_deployed(stack):
            pool.make(stack.api)
            registering = _run(_environment(stack), "-m", "deployments.register")
        stack = _with_worker(stack, say)
        if registering:
            _finished(registering)
            stack = replace(stack, deployed=deployed)
            record.write(stack)
        _await_worker(stack)
        for name in recovery.begin_again(stack.api):
            say(f"run {name} begins again: its process was gone")
        _await_service(stack, say)
        return stack


def down(say: Say) -> None:
    """Stop worker, server, API and the embedded database of this LOYALTY_HOME."""
    with locked():
        for name, part in record.read().parts().items():
            if processes.stop(part.process):
                say(f"{name} stopped")
        prefect_api.record().unlink(missing_ok=True)
        record.forget()
    if embedded.stop():
        say("embedded database stopped")


def ask(stack: Stack, path: str, method: str = "POST", **body: Any) -> Any:
    """What the Prefect server's API answers. Raises Unavailable if it doesn't, or refuses."""
    try:
        return prefect_api.ask(stack.api, path, method, **body)
    except Unavailable as error:
        raise Unavailable(f"{error}: see {log('prefect-server')}") from error


def _database(say: Say) -> dict[str, str]:
    """Where Prefect keeps its records: the database named, else beside the programme's in the embedded server."""
    named = settings().prefect_database_url
    try:
        url = named.get_secret_value() if named else _embedded()
    except Unavailable as error:
        say(f"Prefect keeps its records in SQLite ({error})")
        return {}
    return {"PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{url.partition('://')[2]}"}


def _embedded() -> str:
    embedded.start()
    return embedded.create_database("prefect")


def _with_server(stack: Stack, database: dict[str, str], say: Say) -> Stack:
    """The stack with a Prefect server: the one that is there if it is well, or a new one, at its port if that is free.

    A worker goes on meanwhile: runs outlast a server that is away for a while.
    """
    surroundings = _digest({**_SERVER, **database, "prefect": installed("prefect")}, _passwords())
    if stack.server and stack.server.lives:
        if stack.server.surroundings == surroundings and _ready(stack):
            return stack
        processes.stop(stack.server.process)
    port = ports.free("LOYALTY_PREFECT_PORT", settings().prefect_port, stack.port, "Prefect's server", say)
    stack = replace(stack, server=Part(record.nobody(), surroundings, port), deployed="")
    environment = _environment(stack) | _SERVER | database
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    server = processes.start(command, environment=environment, folder=ROOT, log=log("prefect-server"))
    stack = replace(stack, server=Part(server, surroundings, port))
    record.write(stack)
    return stack


def _await_server(stack: Stack) -> None:
    deadline = time.monotonic() + SERVER_SECONDS
    while not _ready(stack):
        if not (stack.server and stack.server.lives) or time.monotonic() > deadline:
            raise Unavailable(f"Prefect's server does not start: see {log('prefect-server')}")
        time.sleep(0.1)
    prefect_api.record().write_text(f"{stack.api}\n", encoding="utf-8")


def _with_service(stack: Stack, say: Say) -> Stack:
    """The stack with the HTTP API started: the one that is there, if it runs this code with the present settings."""
    surroundings = _digest(_surroundings() | {"version": version()})
    if stack.service and stack.service.lives:
        if stack.service.surroundings == surroundings:
            return stack
        say("the API is started again with the present code and settings")
        processes.stop(stack.service.process)
    port = ports.free("LOYALTY_API_PORT", settings().api_port, stack.http_port, "the API", say, taken=stack.port)
    command = [sys.executable, "-m", "loyalty", "serve", "--port", str(port)]
    process = processes.start(command, environment=_environment(stack), folder=ROOT, log=log("api"))
    stack = replace(stack, service=Part(process, surroundings, port))
    record.write(stack)
    return stack


def _ready(stack: Stack) -> bool:
    """Whether the Prefect server answers, and its database answers it."""
    try:
        return httpx.get(f"{stack.api}/ready", timeout=ANSWER_SECONDS).is_success
    except httpx.HTTPError:
        return False


def _with_worker(stack: Stack, say: Say) -> Stack:
    """The stack with a worker whose runs see the settings of now; one with other settings is replaced."""
    surroundings = _digest(_surroundings() | _WORKER, _passwords(), {"api": stack.api})
    if stack.worker and stack.worker.lives:
        if stack.worker.surroundings == surroundings:
            return stack
        say("the worker is started again with the present settings")
        processes.stop(stack.worker.process)
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool.POOL, "--type", pool.TYPE]
    worker = processes.start(
        [*command, "--limit", str(RUNS_AT_ONCE)],
        environment=_environment(stack) | _WORKER,
        folder=ROOT,
        log=log("prefect-worker"),
    )
    stack = replace(stack, worker=Part(worker, surroundings))
    record.write(stack)
    return stack


def _all_deployed(stack: Stack) -> bool:
    """Whether the server has every deployment of prefect.yaml, made from this code."""
    there = {each["name"]: each["version"] for each in ask(stack, "deployments/filter", limit=200)}
    return all(there.get(each["name"]) == version() for each in wanted())


def _await_worker(stack: Stack) -> None:
    deadline = time.monotonic() + WORKER_SECONDS
    while not pool.workers_online(stack.api):
        if not (stack.worker and stack.worker.lives) or time.monotonic() > deadline:
            raise Unavailable(f"Prefect's worker does not start: see {log('prefect-worker')}")
        time.sleep(0.2)


def _await_service(stack: Stack, say: Say) -> None:
    deadline = time.monotonic() + SERVICE_SECONDS
    while True:
        try:
            answer = httpx.get(f"{stack.http}/healthz", timeout=ANSWER_SECONDS)
            break
        except httpx.HTTPError:
            if not (stack.service and stack.service.lives) or time.monotonic() > deadline:
                raise Unavailable(f"the API does not start: see {log('api')}") from None
            time.sleep(0.1)
    if not answer.is_success:
        say("the API waits for its database: `loyalty doctor` tells what is missing")


def _run(environment: dict[str, str], *command: str) -> "subprocess.Popen[bytes]":
    """Start a short job of set-up, told to the log `deploy`."""
    file = log("deploy")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as told:
        return subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )


def _finished(job: "subprocess.Popen[bytes]") -> None:
    if job.wait() != 0:
        raise Unavailable(f"the deployments can't be made: see {log('deploy')}")


def _environment(stack: Stack) -> dict[str, str]:
    """What our processes see: the settings of now, this home, and nothing of the user's own Prefect but passwords."""
    home = settings().home_folder
    (home / "prefect").mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return (
        {"LOYALTY_PREFECT_UI_URL": stack.ui}  # for links in messages, unless it has another address outside
        | kept
        | _passwords()
        | {
            "LOYALTY_HOME": str(home),
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_API_URL": stack.api,
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": str(ROOT),
        }
    )


def _passwords() -> dict[str, str]:
    return {name: os.environ[name] for name in sorted(_PASSWORDS & os.environ.keys())}


def _surroundings() -> dict[str, Any]:
    """The settings that runs see."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def _digest(*parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def status(say: Say) -> bool:
    """Tell what is up; whether all is."""
    stack = record.read()
    up_or_down = {name: part.lives for name, part in stack.parts(missing=True).items()}
    up_or_down["embedded database"] = embedded.status().running
    for name, lives in up_or_down.items():
        say(f"{name}: {'up' if lives else 'down'}")
    return all(up_or_down.values())


def main(arguments: list[str]) -> int:
    """Run a command line; its exit code."""
    match arguments:
        case ["up"]:
            stack = up(print)
            print(f"Prefect  {stack.ui}\nAPI      {stack.http}\nlogs     {log('').parent}\nstop it with: make down")
        case ["down"]:
            down(print)
        case ["status"]:
            return 0 if status(print) else 1
        case _:
            raise WrongUse("python -m deployments.stack up | down | status")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(sys.argv[1:])))

"""A small shop with two months of sales, and one Prefect server that all workers of a test session share."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import URL

from deployments import processes
from deployments.processes import Process
from loyalty import clock
from loyalty.db import engine
from loyalty.db.imports import import_members, import_transactions
from loyalty.db.programme import set_up

ROOT = Path(__file__).parents[2]
CLOCK = "2026-04-02T10:00:00Z"

# a Gold upgrade that waits for review, a Silver one, one who buys little, one whose purchase is in March alone
MEMBERS = """\
customer_id,email,phone,first_name,last_name,email_consent,sms_consent
C1,ada.lovelace@example.com,+15555550101,Adalgisa,Lovelacequist,true,true
C2,ben.nevis@example.com,+15555550102,Benvolio,Nevisworth,true,true
C3,cora.reef@example.com,+15555550103,Coralinda,Reefenstein,false,false
"""
PERSONAL = [cell for line in MEMBERS.splitlines()[1:] for cell in line.split(",")[1:5]]
TRANSACTIONS = """\
transaction_id,customer_id,occurred_at,amount
T1,C1,2026-01-10T12:00:00Z,2600.00
T2,C2,2026-01-11T12:00:00Z,1300.00
T3,C3,2026-01-12T12:00:00Z,99.90
T4,C1,2026-02-10T12:00:00Z,100.00
T5,C3,2026-02-11T12:00:00Z,99.90
T6,C4,2026-03-11T12:00:00Z,10.00
"""


@pytest.fixture
def shop(database: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> URL:
    """The shop's database, with January to March 2026 open; the clock stands in April."""
    monkeypatch.setenv("LOYALTY_CLOCK", CLOCK)
    with engine.connect() as connection:
        set_up(connection, at=clock.now())
    for name, text, load in (("m", MEMBERS, import_members), ("t", TRANSACTIONS, import_transactions)):
        file = tmp_path / f"{name}.csv"
        file.write_text(text)
        assert load(file).rejected == 0
    return database


@dataclass(frozen=True)
class Prefect:
    """The server: its API, and the folder with its database."""

    api: str
    home: Path

    def filtered(self, kind: str, **wanted: Any) -> Any:
        """What the server has of a kind, by a filter of its API."""
        return self.post(f"{kind}/filter", wanted)

    def deploy(self, flow: str) -> None:
        """Have a deployment of the flow, by its name and without a worker.

        It says where its code lies, as prefect.yaml does; else Prefect copies the whole checkout for each run.
        """
        known = self.post("flows/", {"name": flow})
        told = {
            "name": flow,
            "flow_id": known["id"],
            "entrypoint": f"flows.{flow}:{flow}",
            "tags": ["loyalty"],
            "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
        }
        self.post("deployments/", told)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """What the server answers to a POST."""
        return self.ask("POST", path, body)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the server answers; it may say 503 for a moment while its SQLite is written to by others."""
        for _ in range(100):
            answer = httpx.request(method, f"{self.api}/{path}", json=body, timeout=30)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.2)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def runs(self, note: str) -> Any:
        """The flow runs that were tagged with a note, in order."""
        return self.filtered("flow_runs", flow_runs={"tags": {"all_": [note]}}, sort="START_TIME_ASC")

    def recorded(self, flow_run: str, count: int) -> list[Any]:
        """All task runs of a flow run that has ended, by name; the server records them a little later than they end.

        On SQLite it commits a task run before the state that it points at: between them it has none.
        """
        for _ in range(200):
            found = self.filtered("task_runs", task_runs={"flow_run_id": {"any_": [flow_run]}}, limit=200)
            ended = [each for each in found if each["state"] and each["state"]["type"] in {"COMPLETED", "FAILED"}]
            if count <= len(ended) == len(found):
                return sorted(found, key=lambda each: str(each["name"]))
            time.sleep(0.1)
        raise AssertionError(f"{len(ended)} task runs of {len(found)} were recorded as ended, not {count}")


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[Prefect]:
    """A Prefect server on SQLite in the session's folder: the first who asks starts it, the last who goes stops it."""
    home = Path(os.environ["LOYALTY_TEST_HOME"]) / "prefect"
    home.mkdir(exist_ok=True)
    with _shared(home) as state:
        if not state:
            state.update(start(home))
        state["users"] = state.get("users", 0) + 1
        api = state["api"]
    try:
        yield Prefect(api, home)
    finally:
        with _shared(home) as left:
            left["users"] -= 1
            if not left["users"]:
                processes.stop(Process(left["pid"], left["born"]))
                left.clear()


Command = Callable[..., "subprocess.CompletedProcess[str]"]

_TAGGED = """
import sys
from prefect import tags
from loyalty.cli import run
with tags(sys.argv[1]):
    sys.exit(run(sys.argv[2:]))
"""

_AGAIN = """
import importlib, sys
from uuid import UUID
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.states import Pending
name, flow_run = sys.argv[1], UUID(sys.argv[2])
with get_client(sync_client=True) as client:
    client.set_flow_run_state(flow_run, Pending(), force=True)
    run = client.read_flow_run(flow_run)
run_flow(getattr(importlib.import_module(f"flows.{name}"), name), flow_run=run, parameters=run.parameters)
"""


@pytest.fixture
def directly(shop: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command `loyalty` in a process of its own, where no Prefect server is known."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    return lambda *arguments: _python("-m", "loyalty", *arguments)


@pytest.fixture
def through_prefect(shop: URL, prefect_server: Prefect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The same where the server answers; `note` becomes a tag of all its flow runs."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_server.api)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))

    def run(*arguments: str, note: str | None = None) -> "subprocess.CompletedProcess[str]":
        if note is None:
            return _python("-m", "loyalty", *arguments)
        return _python("-c", _TAGGED, note, *arguments)

    return run


@pytest.fixture
def run_flow(through_prefect: Command) -> Command:
    """Run a flow with parameters as Prefect does, in a process of its own; the note becomes its tag."""

    def run(name: str, note: str, **parameters: Any) -> "subprocess.CompletedProcess[str]":
        code = (
            f"from prefect import tags\nfrom flows.{name} import {name}\nwith tags({note!r}): {name}(**{parameters!r})"
        )
        return _python("-c", code)

    return run


@pytest.fixture
def run_again(through_prefect: Command) -> Command:
    """Begin a run of a flow once more, as a retry from the UI does, in a process of its own."""

    def run(name: str, flow_run: str) -> "subprocess.CompletedProcess[str]":
        return _python("-c", _AGAIN, name, flow_run)

    return run


def _python(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def start(home: Path) -> dict[str, Any]:
    """Start a server that keeps all in a folder: its address, and what `processes.stop` takes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    batches = {f"PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_{name}": "20" for name in ("BATCH_SIZE", "READ_BATCH_SIZE")}
    own = {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = processes.start(command, environment=kept | batches | own, folder=ROOT, log=home / "server.log")
    api = f"http://127.0.0.1:{port}/api"
    for _ in range(900):
        try:
            if httpx.get(f"{api}/health", timeout=5).is_success:
                return {"api": api, "pid": server.pid, "born": server.born}
        except httpx.HTTPError:
            time.sleep(0.1)
        assert server.lives, (home / "server.log").read_text()
    raise AssertionError("the Prefect server does not answer")


@contextmanager
def _shared(home: Path) -> Iterator[dict[str, Any]]:
    """What the session's workers know together, one at a time."""
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = home / "shared.json"
        state: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        yield state
        file.write_text(json.dumps(state))

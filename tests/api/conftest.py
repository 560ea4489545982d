"""A real server in a process of its own over loopback HTTP, one for all tests of a worker; keys and callers."""

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import URL, Connection, create_engine, text

from deployments import processes
from deployments.processes import Process
from loyalty.db import api_keys, engine, programme, rules_versions

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
_PATIENCE_SECONDS = 20


@dataclass
class Server:
    """A server: where it is, how to start another, its database, its log."""

    url: str
    process: Process
    database: URL
    log: Path
    environment: dict[str, str]
    _keys: dict[tuple[str, ...], str] = field(default_factory=dict)

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The command `loyalty` on the server's database."""
        return subprocess.run(
            [sys.executable, "-m", "loyalty", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def key(self, *scopes: str) -> str:
        """A key with these scopes, made once."""
        if scopes not in self._keys:
            with self.connected() as connection:
                self._keys[scopes] = api_keys.create(connection, f"test-{uuid.uuid4().hex[:8]}", scopes, at=NOW)
        return self._keys[scopes]

    def caller(self, *scopes: str) -> httpx.Client:
        """A client that sends a key with these scopes; all of them, if none is named."""
        headers = {"Authorization": f"Bearer {self.key(*(scopes or ('all',)))}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def execute(self, statement: str, **parameters: Any) -> list[Any]:
        """Run SQL on its database, past the server."""
        with self.connected() as connection:
            done = connection.execute(text(statement), parameters)
            return [tuple(row) for row in done] if done.returns_rows else []

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection to its database, past the server; each statement by itself, unless it begins a transaction."""
        made = create_engine(
            self.database.set(drivername="postgresql+psycopg2"),
            isolation_level="AUTOCOMMIT",
            connect_args={"options": "-c search_path=loyalty"},
        )
        try:
            with made.connect() as connection:
                yield connection
        finally:
            made.dispose()

    def logged(self) -> list[dict[str, Any]]:
        """What it logged, line by line, without the first, which is for people."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


Start = Callable[..., Server]


@contextmanager
def started(database: URL, folder: Path, *arguments: str, **variables: str) -> Iterator[Server]:
    """Start `loyalty serve` on a database, wait for its first answer, and stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOYALTY_")} | {
        "LOYALTY_DATABASE_URL": database.render_as_string(hide_password=False),
        "LOYALTY_HOME": str(folder / "home"),
        "LOYALTY_CLOCK": NOW.isoformat(),
        **variables,
    }
    log = folder / "server.log"
    command = [sys.executable, "-m", "loyalty", "serve", "--port", str(port), *arguments]
    process = processes.start(command, environment=environment, folder=ROOT, log=log)
    server = Server(f"http://127.0.0.1:{port}", process, database, log, environment)
    try:
        _await(server)
        yield server
    finally:
        processes.stop(process)


def _await(server: Server) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            httpx.get(f"{server.url}/healthz", timeout=5)
        except httpx.TransportError:
            assert server.process.lives, server.log.read_text()
            time.sleep(0.02)
        else:
            return
    raise AssertionError("the server does not answer")


@contextmanager
def new_database(server: URL, template: str) -> Iterator[URL]:
    """A database with a programme that earns on purchase, which nobody else uses."""
    url = server.set(database=f"loyalty_api_{uuid.uuid4().hex}")
    made = create_engine(server.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        connection.execute(text(f"create database {url.database} template {template}"))
    try:
        with pytest.MonkeyPatch.context() as patch:  # not beyond: the environment is everybody's
            patch.setenv("LOYALTY_DATABASE_URL", url.render_as_string(hide_password=False))
            with engine.connect() as connection:
                programme.set_up(connection, at=NOW)
            with engine.transaction() as connection:
                _, rules = rules_versions.in_force(connection, NOW.date().replace(day=1))
                at_once = rules.model_copy(update={"earning": "on_purchase"})
                rules_versions.install(connection, at_once, from_period=None, by="test", at=NOW)
            engine.dispose()
        yield url
    finally:
        with made.connect() as connection:
            connection.execute(text(f"drop database {url.database} with (force)"))
        made.dispose()


@pytest.fixture(scope="session")
def api(server: URL, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that most tests share: each takes customers of its own."""
    with (
        new_database(server, template) as url,
        started(url, tmp_path_factory.mktemp("api")) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def till(api: Server) -> Iterator[httpx.Client]:
    """A caller who may do everything."""
    with api.caller() as client:
        yield client


@pytest.fixture
def customer() -> str:
    """An id that no other test has."""
    return f"C-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def own_database(server: URL, template: str) -> Iterator[URL]:
    """A database with a programme, for a server of the test's own."""
    with new_database(server, template) as url:
        yield url

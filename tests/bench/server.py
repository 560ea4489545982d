"""What is measured against: a scratch PostgreSQL with databases that come and go, and a Prefect server of its own.

LOYALTY_TEST_DATABASE_URL names any PostgreSQL 15+ whose user is a superuser (checkpoints are ordered); without it an
embedded server is started in a folder that goes with the run.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 spells small
from sqlalchemy import URL, make_url

from deployments import processes
from loyalty.db import embedded

ROOT = Path(__file__).parents[2]
SERVER = "LOYALTY_TEST_DATABASE_URL"
CLOCK = "2026-11-02T09:00:00+00:00"  # the programme's: October 2026 is over
PREFECT_SECONDS = 120
SETTINGS = (
    "shared_buffers work_mem maintenance_work_mem effective_cache_size max_wal_size wal_compression fsync"
    " synchronous_commit full_page_writes max_parallel_workers_per_gather jit"
).split()


@dataclass(frozen=True, slots=True)
class Server:
    """The server's own database `url`, and the folder of this run."""

    url: URL
    home: Path

    def connect(self, database: str | None = None) -> Connection:
        """Connect, outside transactions."""
        url = self.url.set(drivername="postgresql", database=database or self.url.database)
        connection = psycopg2.connect(url.render_as_string(hide_password=False))
        connection.autocommit = True
        return connection

    def execute(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run a statement, outside transactions; the rows it gives, if it gives any."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    @contextmanager
    def database(self, name: str, like: str = "template0") -> Iterator[str]:
        """A database that is there for a while: the copy of another one, its pages on disk, its statistics known."""
        made = f"loyalty_bench_{name}"
        self.execute(f"drop database if exists {made} with (force)")
        self.execute(f"create database {made} template {like} strategy file_copy")
        try:
            if like != "template0":
                self.settle(made)
            yield made
        finally:
            self.execute(f"drop database if exists {made} with (force)")

    def settle(self, database: str) -> None:
        """Leave nothing for the server to catch up with while it is measured."""
        self.execute("vacuum analyze", database)
        self.execute("checkpoint", database)

    def environment(self, database: str, **more: str) -> dict[str, str]:
        """What a process of the product sees: that database, this home, no setting of the user's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOYALTY_", "PREFECT_"))}
        url = self.url.set(drivername="postgresql", database=database).render_as_string(hide_password=False)
        own = {
            "LOYALTY_DATABASE_URL": url,
            "LOYALTY_HOME": str(self.home),
            "LOYALTY_CLOCK": CLOCK,
            "PYTHONPATH": str(ROOT),
        }
        return kept | own | more

    def run(self, database: str, module: str, *arguments: str, **more: str) -> dict[str, Any]:
        """Run a module in a process of its own; what it prints is a JSON object. RuntimeError tells of its failure."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=self.environment(database, **more),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{module} failed: {done.stderr.strip()[-4000:]}")
        told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return told

    def about(self) -> dict[str, str]:
        """The server's version and the settings that matter."""
        version = self.execute("show server_version")[0][0]
        return {"PostgreSQL": version} | {name: self.execute(f"show {name}")[0][0] for name in SETTINGS}


@contextmanager
def server() -> Iterator[Server]:
    """A server for this run; an embedded one, and the folder, are gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="loyalty-bench-"))
    if os.environ.get(SERVER):
        try:
            yield Server(make_url(os.environ[SERVER]), home)
        finally:
            shutil.rmtree(home)
        return
    os.environ["LOYALTY_HOME"] = str(home)
    try:
        yield Server(make_url(embedded.start()), home)
    finally:
        embedded.stop()
        shutil.rmtree(home)


@contextmanager
def prefect(on: Server) -> Iterator[str]:
    """A Prefect server with a home, a port and a database of its own; the address of its API."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "PREFECT_HOME": str(on.home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    if not os.environ.get(SERVER):  # as the local stack has it: beside the programme's
        url = embedded.create_database("prefect").replace("postgresql://", "postgresql+asyncpg://", 1)
        settings["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = url
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    environment = on.environment("none", **settings)
    log = on.home / "prefect.log"
    started = processes.start(command, environment=environment, folder=on.home, log=log)
    api = f"http://127.0.0.1:{port}/api"
    try:
        _await(api, log)
        yield api
    finally:
        processes.stop(started)


def _await(api: str, log: Path) -> None:
    deadline = time.monotonic() + PREFECT_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{api}/health", timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise RuntimeError(f"Prefect's server does not start: {log.read_text(errors='replace')[-2000:]}")

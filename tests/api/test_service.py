"""The service as a process: healthy or not, measured, several workers, started and ended."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import URL, text

from tests.api.conftest import ROOT, Server, started

WAITING = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
NO_KEY = {"type": "/problems/unavailable", "title": "Unavailable", "status": 503}


def test_health_tells_of_the_database(own_database: URL, tmp_path: Path) -> None:
    """Law: 200 with a database of this release; 503 where it is away or not migrated; 200 when it is back."""
    name = str(own_database.database)
    with started(own_database, tmp_path) as server, server.caller() as till:
        ok = {"status": "ok", "database": "ok", "migrations": "ok"}
        assert (_health(server), till.put("/v1/members/C1", json={}).status_code) == ((200, ok), 201)

        outside = Server(server.url, server.process, own_database.set(database="postgres"), server.log, {})
        outside.execute(f"alter database {name} with allow_connections false")
        outside.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = :name", name=name)
        away = {"status": "failing", "database": "unavailable", "migrations": "unknown"}
        assert _health(server) == (503, away)
        refused = till.put("/v1/members/C2", json={})
        assert refused.json() == {**NO_KEY, "detail": refused.json()["detail"]}
        assert int(refused.headers["retry-after"]) > 0
        assert "loyalty_http_requests_total" in httpx.get(f"{server.url}/metrics").text

        outside.execute(f"alter database {name} with allow_connections true")
        assert _health(server) == (200, ok)
        assert till.put("/v1/members/C2", json={}).status_code == 201
        server.execute("update loyalty.migrations set sha256 = 'x'")
        status, told = _health(server)
        assert (status, told["status"], told["database"]) == (503, "failing", "ok")
        assert told["migrations"].startswith("migration 0001")


def test_lost_connections_are_not_the_callers_affair(own_database: URL, tmp_path: Path) -> None:
    """Law: requests after all of the pool's connections died are answered as ever: each tries again by itself."""
    with started(own_database, tmp_path) as server, server.caller() as till, ThreadPoolExecutor(8) as pool:

        def put(number: int) -> int:
            return till.put(f"/v1/members/C{number}", json={}).status_code

        assert set(pool.map(put, range(32))) == {201}
        server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        assert set(pool.map(put, range(32))) == {200}


def test_metrics_count_requests_of_all_workers(own_database: URL, tmp_path: Path) -> None:
    """Law: with several workers whoever is asked tells the sum; depths come from the database."""
    with started(own_database, tmp_path, "--workers", "2") as server:
        for _ in range(40):  # each on a connection of its own, so that both workers get some
            httpx.get(f"{server.url}/problems")
        told = httpx.get(f"{server.url}/metrics").text
        assert re.findall(r'^loyalty_http_requests_total{.*"/problems".*} (.*)$', told, re.MULTILINE) == ["40.0"]
        assert re.findall(r'^loyalty_http_request_seconds_count{.*"/problems"} (.*)$', told, re.MULTILINE) == ["40.0"]
        assert re.findall(r"^(loyalty_(?:inbox|outbox)\S*) (.*)$", told, re.MULTILINE) == [
            ('loyalty_inbox_events{state="waiting"}', "0.0"),
            ('loyalty_inbox_events{state="dead"}', "0.0"),
            ("loyalty_outbox_messages", "0.0"),
        ]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_ends_it_once_requests_are_answered(own_database: URL, tmp_path: Path, workers: str) -> None:
    """Law: SIGTERM answers what has begun, takes nothing new, and ends the server within ten seconds."""
    with started(own_database, tmp_path, "--workers", workers) as server, server.caller() as till:
        till.put("/v1/members/C1", json={})
        with ThreadPoolExecutor(1) as pool:
            with server.connected() as held:
                held.execute(text("begin; select from members for update"))
                slow = pool.submit(till.put, "/v1/members/C1", json={"time_zone": "Europe/Berlin"})
                while not server.execute(WAITING):
                    assert not slow.done()
                begun = time.monotonic()
                os.kill(server.process.pid, signal.SIGTERM)
            assert slow.result().status_code == 200
        while server.process.lives:
            assert time.monotonic() - begun < 10
            time.sleep(0.02)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/healthz")


def test_the_service_loads_no_prefect() -> None:
    """Law: serving needs no Prefect: neither its seconds nor its memory."""
    code = "import sys, loyalty.commands.serve, loyalty.api.app; sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_port_that_is_taken_is_named(api: Server) -> None:
    """Law: who can't have the port is told so in one line, exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = api.command("serve", "--port", port)
    assert (refused.returncode, refused.stderr) == (
        1,
        f"loyalty: port {port} of 127.0.0.1 can't be had (Address already in use): choose another with --port\n",
    )
    assert api.command("serve", "--port", "70000").returncode == 2


def _health(server: Server) -> tuple[int, dict[str, str]]:
    answer = httpx.get(f"{server.url}/healthz", timeout=15)
    return answer.status_code, answer.json()

"""The outbox through a provider: so many e-mails queued, two workers, a local endpoint that says yes to all.

The endpoint counts each message's number, so a run that sends one twice, or none, is no run.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from deployments import processes
from loyalty.db import engine
from loyalty.db.programme import set_up
from tests.bench.close import AT, Measured, fill
from tests.bench.environment import variables
from tests.bench.server import ROOT, Server

WORKERS = 2
_QUEUE = """
insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)
select 'points_expiring', '2026-12-01', m.member_no, 'email',
    jsonb_build_object('points', 40 + m.member_no %% 100, 'expires_at', '2026-12-01T00:00:00Z'), %(at)s
from loyalty.members as m order by m.member_no"""


def messages(server: Server, count: int, runs: int) -> Iterator[Measured]:
    """Measure each run, then their median."""
    measured = []
    with _queued(server, count) as data:
        for number in range(1, runs + 1):
            measured.append(_run(server, data, count))
            yield {"what": "messages", "run": number, "messages": count} | measured[-1]
    yield {
        "what": "messages",
        "messages": count,
        "workers": WORKERS,
        "per_second": round(median(each["per_second"] for each in measured), 1),
        "seconds": round(median(each["seconds"] for each in measured), 2),
        "worker_memory_mb": max(each["peak_memory_mb"] for each in measured),
        "grown_memory_mb": max(each["grown_memory_mb"] for each in measured),
    }


@contextmanager
def _queued(server: Server, count: int) -> Iterator[str]:
    """A programme whose every member has an e-mail to get."""
    with server.database("messages_data") as name:
        with variables(server.environment(name)), engine.connect() as connection:
            set_up(connection, at=AT)
        engine.dispose()
        raw = server.connect(name)
        fill(raw, count)
        with raw.cursor() as cursor:
            cursor.execute(_QUEUE, {"at": AT})
        raw.close()
        server.settle(name)
        yield name


def _run(server: Server, data: str, count: int) -> Measured:
    with server.database("messages", like=data) as name, _endpoint(server) as url:
        settings = {
            "LOYALTY_EMAIL_CHANNEL": "sendgrid",
            "LOYALTY_SENDGRID_API_KEY": "SG.bench",
            "LOYALTY_SENDGRID_URL": url,
            "LOYALTY_BRAND_SENDER": "club@shop.example",
        }
        command = [sys.executable, "-m", "tests.bench.messages_worker"]
        environment = server.environment(name, **settings)
        began = time.perf_counter()
        workers = [
            subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for _ in range(WORKERS)
        ]
        told = [json.loads(worker.communicate()[0].splitlines()[-1]) for worker in workers]
        seconds = time.perf_counter() - began
        states = dict(server.execute("select state, count(*) from loyalty.outbox group by state", name))
    if states != {"sent": count} or sum(each["sent"] for each in told) != count:
        raise RuntimeError(f"not every message was sent once: {states}, {told}")
    return {
        "seconds": round(seconds, 2),
        "per_second": round(count / seconds, 1),
        "peak_memory_mb": max(each["peak_memory_mb"] for each in told),
        "grown_memory_mb": max(each["grown_memory_mb"] for each in told),
    }


@contextmanager
def _endpoint(server: Server) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.bench.messages_endpoint", str(port)]
    started = processes.start(
        command, environment=server.environment("none"), folder=ROOT, log=server.home / "endpoint.log"
    )
    try:
        _await(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.stop(started)


def _await(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the endpoint does not start")

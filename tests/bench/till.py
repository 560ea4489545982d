"""Purchases and redemptions at the till: over HTTP by wrk, beside the same statements by pgbench.

wrk it is, and not a load tool of Python's: on a few cores one of those would take as much of the processor as the
service that it measures.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import httpx
import psutil

from deployments import processes
from loyalty.db import api_keys, embedded, engine
from loyalty.db.engine import transaction
from loyalty.db.programme import set_up
from loyalty.db.statements import statement
from tests.bench.close import AT, HERE, Measured, _medians, _since, fill
from tests.bench.environment import variables
from tests.bench.processor import server_seconds
from tests.bench.server import CLOCK, ROOT, Server

CLIENTS = (1, 8, 32)
MEMBERS_MOST = 20_000
"""More don't make it slower, only the preparation."""

WARM_UP_SECONDS = 2
START_SECONDS = 20
CASES = {"purchases": 0, "purchases of one member": 1, "redemptions": 0}  # how many members; 0: all
# A transaction locks each of its events: some thousands are as many as a server has room for.
FILL_AT_ONCE = 2_000
FILL = """
select loyalty.take_purchase(
    row('opening', 'S' || n, 'C' || n, null, %(at)s, 9999999, null, null, null, null, null, null, null, null, null, null
    )::loyalty.told_transaction, sha256(''), '', %(at)s
) from generate_series(%(first)s, %(last)s) as n"""

# What pgbench takes for the parameters of a statement; null for those that wrk's requests leave out.
_GIVEN = {
    "source": "'default'",
    "transaction_id": "('P' || :run::text || '-' || :client_id::text || '-' || :sent::text)",
    "idempotency_key": "('P' || :run::text || '-' || :client_id::text || '-' || :sent::text)",
    "customer_id": "('C' || :member::text)",
    "amount": "(:paid::integer + 0.90)",
    "location": "'Berlin 3'",
    "digest": "sha256('')",
    "body": '\'{"transaction_id":"P1-1-1","customer_id":"C1","amount":"1.90","location":"Berlin 3"}\'',
    "points": "1",
    "purpose": "'money_off'",
    "key_no": "1",
    "at": f"timestamptz '{CLOCK}'",
}
_DRAWN = "\\set sent :sent + 1\n\\set member random(1, :members)\n\\set paid random(1, 99)\n"
_SCRIPTS = {
    "purchases": ("inbox/take_purchase",),
    "redemptions": ("till/take_redemption",),
}


# The workload that the authors of pgledger publish: twenty workers move amounts from account to account.
_TRANSFERS = """
create table picked as
    select row_number() over () as n, a.id from generate_series(1, %(accounts)s) as n
    cross join lateral pgledger_create_account('account ' || n, 'USD') as a;
create unique index on picked (n)"""
_TRANSFER = """\\set a random(1, :accounts)
\\set b 1 + (:a - 1 + random(1, :accounts - 1)) % :accounts
\\set amount random(0, 4294967295)
select id from pgledger_create_transfer(
    (select id from picked where n = :a), (select id from picked where n = :b), (:amount)::numeric);
"""
WORKERS, ACCOUNTS = 20, (50, 10)


@dataclass(frozen=True, slots=True)
class Load:
    """Purchases or redemptions, of so many members, by so many clients, for so many seconds."""

    what: str
    members: int
    clients: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Api:
    """A service: where it is, its key, its process, and how long it took to answer at first."""

    url: str
    key: str
    process: psutil.Process
    start_seconds: float

    def cpu_seconds(self) -> float:
        """What it and its workers have worked so far."""
        each = [self.process, *self.process.children(recursive=True)]
        return float(sum(sum(one.cpu_times()[:2]) for one in each))


def missing() -> str | None:
    """What has to be installed first."""
    return None if shutil.which("wrk") else "wrk, the load tool: apt-get install wrk"


def tills(server: Server, members: int, runs: int, *, seconds: int = 10, workers: int = 1) -> Iterator[Measured]:
    """Measure each case over HTTP and by pgbench in turn, with so many clients each; then their summaries."""
    found: dict[tuple[str, int], list[Measured]] = {}
    with _shop(server, members) as shop:
        for number in range(1, runs + 1):
            for case, only in CASES.items():
                load = Load(case.partition(" ")[0], only or members, 8, seconds)
                for measured in _case(server, shop, load, workers):
                    found.setdefault((case, measured["clients"]), []).append(measured)
                    yield {"what": f"till, {case}", "run": number, "members": members} | measured
    for (case, clients), measurements in found.items():
        yield _summary(case, members, clients, measurements) | {"workers": workers}


def ledger(server: Server, folder: Path, *, seconds: int = 10) -> Iterator[Measured]:
    """The published workload of pgledger, from a copy of its repository, on the same server."""
    script = server.home / "transfer.sql"
    script.write_text(_TRANSFER, encoding="utf-8")
    files = [*sorted((folder / "vendor" / "scoville-pgsql-ulid").glob("*.sql")), folder / "pgledger.sql"]
    for accounts in ACCOUNTS:
        with server.database("ledger") as name:
            raw = server.connect(name)
            with raw.cursor() as cursor:
                for file in files:
                    cursor.execute(file.read_text(encoding="utf-8"))
                cursor.execute(_TRANSFERS, {"accounts": accounts})
            raw.close()
            server.settle(name)
            load = Load("transfers", accounts, WORKERS, seconds)
            told = pgbench(server, name, script, load, {"accounts": str(accounts)})
        what = f"transfers of pgledger, {accounts} accounts"
        yield {"what": what, "clients": WORKERS, "pgbench_per_second": told["per_second"], "pgbench_ms": told["ms"]}


def _case(server: Server, shop: str, load: Load, workers: int) -> Iterator[Measured]:
    """One number of clients after the other: HTTP on one copy of the data, pgbench on another one."""
    loads = [replace(load, clients=clients) for clients in CLIENTS]
    warming_up = replace(load, clients=max(CLIENTS), seconds=WARM_UP_SECONDS)
    with server.database("till", like=shop) as name, _api(server, name, workers) as api:
        _wrk(server, name, api, warming_up)
        over_http = [_wrk(server, name, api, each) for each in loads]
    with server.database("till", like=shop) as name:
        _pgbench(server, name, warming_up)
        bare = [_pgbench(server, name, each) for each in loads]
    for each, http, sql in zip(loads, over_http, bare, strict=True):
        ratio = round(http["per_second"] / sql["pgbench_per_second"], 3)
        yield {"clients": each.clients, "ratio": ratio, "start_seconds": api.start_seconds} | http | sql


@contextmanager
def _shop(server: Server, members: int) -> Iterator[str]:
    """A programme that earns on purchase, whose members have points to spend."""
    rules = server.home / "till.toml"
    rules.write_text('earning = "on_purchase"\n' + (HERE / "programme.toml").read_text(), encoding="utf-8")
    with server.database("till_data") as name:
        with variables(server.environment(name, LOYALTY_RULES=str(rules))), engine.connect() as connection:
            set_up(connection, at=AT)
        engine.dispose()
        raw = server.connect(name)
        fill(raw, members)
        with raw.cursor() as cursor:
            cursor.execute("set search_path = loyalty")
            for first in range(1, members + 1, FILL_AT_ONCE):
                last = min(first + FILL_AT_ONCE - 1, members)
                cursor.execute(FILL, {"first": first, "last": last, "at": CLOCK})
        raw.close()
        server.settle(name)
        yield name


@contextmanager
def _api(server: Server, database: str, workers: int) -> Iterator[Api]:
    environment = server.environment(database)
    with variables(environment), transaction() as connection:
        key = api_keys.create(connection, "bench", ["all"], at=AT)
    engine.dispose()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "loyalty", "serve", "--port", str(port), "--workers", str(workers)]
    began, url, log = time.perf_counter(), f"http://127.0.0.1:{port}", server.home / "api.log"
    started = processes.start(command, environment=environment, folder=ROOT, log=log)
    try:
        _await(url, log)
        yield Api(url, key, psutil.Process(started.pid), round(time.perf_counter() - began, 2))
    finally:
        processes.stop(started)


def _await(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(timeout=5) as client:
        while time.monotonic() < deadline:
            try:
                if client.get(f"{url}/healthz").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
    raise RuntimeError(f"the service does not start: {log.read_text(errors='replace')[-2000:]}")


def _wrk(server: Server, database: str, api: Api, load: Load) -> Measured:
    """Send for so many seconds. RuntimeError if a single request fails."""
    surroundings = {
        "TILL_WHAT": load.what,
        "TILL_KEY": api.key,
        "TILL_MEMBERS": str(load.members),
        "TILL_RUN": str(time.time_ns()),
    }
    command = ["wrk", "-t", str(min(2, load.clients)), "-c", str(load.clients), "-d", f"{load.seconds}s"]
    with _worked(server, database) as work:
        before = api.cpu_seconds()
        said = _run([*command, "-s", str(HERE / "till.lua"), api.url], surroundings)
        work["api"] = api.cpu_seconds() - before
    told = json.loads(said.strip().splitlines()[-1])
    if told["failed"]:
        raise RuntimeError(f"{told['failed']} of {told['requests']} requests failed: {load}")
    return {
        "per_second": round(told["requests"] / told["microseconds"] * 1e6, 1),
        **{f"{percentile}_ms": told[percentile] / 1000 for percentile in ("p50", "p95", "p99")},
        "cpu_ms": _each(work, told["requests"]),
    }


def _pgbench(server: Server, database: str, load: Load) -> Measured:
    """Run the same statements for so many seconds."""
    script = server.home / f"{load.what}.sql"
    script.write_text(_DRAWN + "".join(f"{_pgbench_sql(name)};\n" for name in _SCRIPTS[load.what]), encoding="utf-8")
    given = {"run": str(time.time_ns()), "sent": "0", "members": str(load.members)}
    with _worked(server, database) as work:
        told = pgbench(server, database, script, load, given)
    return {
        "pgbench_per_second": round(told["per_second"], 1),
        "pgbench_ms": told["ms"],
        "pgbench_cpu_ms": _each(work, told["transactions"]),
    }


def pgbench(server: Server, database: str, script: Path, load: Load, given: Mapping[str, str]) -> dict[str, float]:
    """Run a script by `pgbench -M prepared`: transactions, per second, and milliseconds of each."""
    url = server.url.set(drivername="postgresql", database=database)
    command = [str(_program()), "-n", "-M", "prepared", "-c", str(load.clients), "-j", str(min(2, load.clients))]
    command += ["-T", str(load.seconds), "-f", str(script), *(f"-D{name}={value}" for name, value in given.items())]
    command += [url.render_as_string(hide_password=False)]
    said = _run(command, {"PGOPTIONS": "-c search_path=loyalty,public -c jit=off -c timezone=UTC"})
    if " 0 (0.000%)" not in (re.search("number of failed transactions:(.*)", said) or [""])[0]:
        raise RuntimeError(f"transactions failed: {said}")

    def figure(pattern: str) -> float:
        found = re.search(pattern, said)
        assert found, said
        return float(found[1])

    return {
        "transactions": figure(r"actually processed: (\d+)"),
        "per_second": figure(r"tps = ([\d.]+)"),
        "ms": figure(r"latency average = ([\d.]+)"),
    }


def _program() -> Path:
    found = shutil.which("pgbench")
    return Path(found) if found else embedded._binary("pgbench")


def _pgbench_sql(name: str) -> str:
    """A statement of ours with what pgbench is to take for its parameters."""
    return re.sub(r"(?<!:):([a-z_]+)", lambda found: _GIVEN.get(found[1], "null"), statement(name).text)


def _run(command: list[str], surroundings: Mapping[str, str]) -> str:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(command, env=kept | dict(surroundings), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


@contextmanager
def _worked(server: Server, database: str) -> Iterator[dict[str, float | None]]:
    """Processor seconds from here to the end: of the database's server, and of the load tool."""
    work: dict[str, float | None] = {}
    connection = server.connect(database)
    try:
        before, tool = server_seconds(connection), sum(os.times()[2:4])
        yield work
        while server.execute("select from pg_stat_activity where application_name = 'pgbench'"):
            time.sleep(0.01)
        time.sleep(0.1)  # the server counts what a process worked once it has seen its end
        work |= {"postgres": _since(before, connection), "load tool": sum(os.times()[2:4]) - tool}
    finally:
        connection.close()


def _each(work: Mapping[str, float | None], requests: float) -> dict[str, float]:
    """Milliseconds of processor time for each request, by process."""
    return {who: round(1000 * seconds / requests, 3) for who, seconds in work.items() if seconds is not None}


def _summary(case: str, members: int, clients: int, measurements: list[Measured]) -> Measured:
    names = [name for name, value in measurements[0].items() if isinstance(value, float)]
    middle = {name: round(median(each[name] for each in measurements), 3) for name in names}
    return {
        "what": f"till, {case}, median of {len(measurements)}",
        "members": members,
        "clients": clients,
        **middle,
        "cpu_ms": _medians([each["cpu_ms"] for each in measurements]),
        "pgbench_cpu_ms": _medians([each["pgbench_cpu_ms"] for each in measurements]),
    }

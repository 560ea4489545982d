"""The monthly close, through the real flow, beside the floor; and the close of month 13."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 spells small
from sqlalchemy import Connection as SqlConnection

from loyalty.db import engine
from loyalty.db.programme import set_up
from loyalty.db.statements import run
from loyalty.rules.periods import months_between
from tests.bench import floor
from tests.bench.environment import variables
from tests.bench.processor import server_seconds
from tests.bench.server import Server

HERE = Path(__file__).parent
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
PERIOD = "2026-10"
EARLIER = months_between(date(2025, 10, 1), date(2026, 9, 1))
SALES = 3  # of a member in the month, on average

ROWS = """select
    (select statements from loyalty.closes where period = '2026-10-01') as statements,
    (select count(*) from loyalty.entries where period = '2026-10-01') as entries,
    (select count(*) from loyalty.lots where period = '2026-10-01') as lots,
    (select count(*) from loyalty.vouchers where period = '2026-10-01') as vouchers,
    (select count(*) from loyalty.outbox) as messages"""

Measured = dict[str, Any]


def close(server: Server, api: str, members: int, runs: int) -> Iterator[Measured]:
    """Measure floor and product in turn; each measurement, then the summary.

    A first round, number 0, is not counted: it pays for the first touch of the server's memory, each its own share.
    """
    floors: list[Measured] = []
    closes: list[Measured] = []
    with ExitStack() as stack:
        base = stack.enter_context(_floor_data(server, members))
        data = stack.enter_context(_programme_data(server, members, months=1))
        for number in range(runs + 1):
            bare, whole = _floor(server, base), _close(server, api, data)
            yield {"what": "floor", "run": number, "members": members} | bare
            yield {"what": "close", "run": number, "members": members} | whole
            if number > 0:
                floors.append(bare)
                closes.append(whole)
    floor_seconds = median(each["seconds"] for each in floors)
    summary = _summary("close", members, closes)
    yield summary | {
        "floor_seconds": round(floor_seconds, 2),
        "ratio_to_floor": round(summary["seconds"] / floor_seconds, 2),
        "floor_cpu_seconds": _work(floors),
        "floor_rows": floors[-1]["rows"],
        "floor_stages": _medians([each["stages"] for each in floors]),
    }


def month_13(server: Server, api: str, members: int, runs: int) -> Iterator[Measured]:
    """Measure a close after twelve months, which expires a lot of each member; each measurement, then the summary."""
    closes = []
    with _programme_data(server, members, months=13) as data:
        for number in range(1, runs + 1):
            closes.append(_close(server, api, data))
            yield {"what": "month13", "run": number, "members": members} | closes[-1]
    yield _summary("month13", members, closes)


def set_up_programme(server: Server, database: str) -> None:
    """Migrate a database and install the benchmark's rules."""
    with product(server, database) as connection:
        set_up(connection, at=AT)


def fill(connection: Connection, members: int) -> None:
    """Members and their sales of October 2026, in a programme just set up."""
    with connection.cursor() as cursor:
        cursor.execute((HERE / "month.sql").read_text(), {"members": members, "transactions": SALES * members})


def fill_earlier(connection: Connection, own: SqlConnection) -> None:
    """The twelve months before; they are closed by the statements that close any month. `own` is in no transaction."""
    with connection.cursor() as cursor:
        cursor.execute("analyze")
        cursor.execute((HERE / "twelve_months.sql").read_text())
        cursor.execute("analyze")
    with own.begin():
        for period in EARLIER:
            run(own, "closing/begin_closing", period=period)
            run(
                own,
                "closing/record_close",
                period=period,
                version=1,
                reviews="hold",
                approved_by=None,
                notify=False,
                started_at=AT,
            )
            digests = run(own, "closing/digest_close", period=period).one()
            run(own, "closing/finish_close", period=period, finished_at=AT, **digests._asdict())


@contextmanager
def product(server: Server, database: str) -> Iterator[SqlConnection]:
    """A connection as the product makes them."""
    with variables(server.environment(database, LOYALTY_RULES=str(HERE / "programme.toml"))):
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


@contextmanager
def _floor_data(server: Server, members: int) -> Iterator[str]:
    with server.database("floor_data") as name:
        connection = server.connect(name)
        floor.load(connection, members=members, transactions=SALES * members)
        connection.close()
        server.settle(name)
        yield name


@contextmanager
def _programme_data(server: Server, members: int, *, months: int) -> Iterator[str]:
    with server.database("close_data") as name:
        set_up_programme(server, name)
        connection = server.connect(name)
        fill(connection, members)
        if months > 1:
            with product(server, name) as own:
                fill_earlier(connection, own)
        connection.close()
        server.settle(name)
        yield name


def _floor(server: Server, base: str) -> Measured:
    with server.database("floor", like=base) as name:
        connection = server.connect(name)
        worked, started = server_seconds(connection), time.perf_counter()
        stages = floor.close(connection)
        seconds = time.perf_counter() - started
        worked = _since(worked, connection)
        connection.close()
        return {
            "seconds": seconds,
            "server_cpu_seconds": worked,
            "stages": stages,
            "rows": _rows(server, name, floor.ROWS),
        }


def _close(server: Server, api: str, data: str) -> Measured:
    surroundings = {
        "PREFECT_API_URL": api,
        "PREFECT_HOME": str(server.home / "prefect"),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "DO_NOT_TRACK": "1",
    }
    with server.database("close", like=data) as name:
        connection = server.connect(name)
        worked, started = server_seconds(connection), time.perf_counter()
        told = server.run(name, "tests.bench.measured_run", PERIOD, **surroundings)
        whole = time.perf_counter() - started
        worked = _since(worked, connection)
        connection.close()
        return told | {"process_seconds": whole, "server_cpu_seconds": worked, "rows": _rows(server, name, ROWS)}


def _since(worked: float | None, connection: Connection) -> float | None:
    """What the server worked since then."""
    now = server_seconds(connection)
    return None if worked is None or now is None else round(now - worked, 2)


def _rows(server: Server, database: str, question: str) -> dict[str, int]:
    connection = server.connect(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            counts = cursor.fetchone() or ()
            return {str(column[0]): int(count) for column, count in zip(cursor.description or (), counts, strict=True)}
    finally:
        connection.close()


def _summary(what: str, members: int, closes: list[Measured]) -> Measured:
    seconds = median(each["seconds"] for each in closes)
    return {
        "what": f"{what}, median of {len(closes)}",
        "members": members,
        "transactions": SALES * members,
        "seconds": round(seconds, 2),
        "process_seconds": round(median(each["process_seconds"] for each in closes), 2),
        "seconds_per_million_members": round(seconds * 1_000_000 / members, 2),
        "server_cpu_seconds": _work(closes),
        "peak_memory_mb": max(each["peak_memory_mb"] for each in closes),
        "children_memory_mb": max(each["children_memory_mb"] for each in closes),
        "rows": closes[-1]["rows"],
        "steps": _medians([each["steps"] for each in closes]),
    }


def _work(runs: list[Measured]) -> float | None:
    known = [each["server_cpu_seconds"] for each in runs if each["server_cpu_seconds"] is not None]
    return round(median(known), 2) if known else None


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(median(each[name] for each in runs), 2) for name in runs[0]}

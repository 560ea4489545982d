"""The daily run of the triggers beside the bare SELECTs that find the same members.

`python -m tests.bench.milestones` is one run, in the programme found in the environment.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from statistics import median
from typing import Any

from loyalty.db import engine
from loyalty.db.milestones import run_day
from loyalty.db.rules_versions import in_force, install
from tests.bench.close import SALES, fill, set_up_programme
from tests.bench.environment import variables
from tests.bench.server import Server

NOW = datetime(2026, 10, 31, 0, 45, tzinfo=UTC)
KEYS = {"birthday_points": 100, "anniversary_points": 50, "visit_points": 25, "milestone_days": 0}
PEOPLE = """update loyalty.members set
    birthday = date '1950-01-01' + (member_no * 7919 % 20000)::integer,
    joined_on = date '2015-01-01' + (member_no * 104729 % 3650)::integer,
    enrolled_at = '2026-01-01'"""
BARE = (
    "select count(*) from loyalty.members where to_char(birthday, 'MMDD') = '1031'",
    "select count(*) from loyalty.members where to_char(joined_on, 'MMDD') = '1031'",
    """select count(*) from (select member_no from loyalty.transactions where kind = 'sale'
    group by member_no having count(distinct (occurred_at at time zone 'UTC')::date) >= 10) as visitors""",
)

Measured = dict[str, Any]


def milestones(server: Server, members: int, runs: int) -> Iterator[Measured]:
    """Measure the bare SELECTs and a day's run in turn, each in a fresh copy; each measurement, then the summary."""
    found: list[Measured] = []
    with server.database("milestones_data") as data:
        _prepare(server, data, members)
        for number in range(1, runs + 1):
            with server.database("milestones", data) as name:
                measured = {"bare_seconds": _bare(server, name)} | server.run(name, "tests.bench.milestones")
            found.append(measured)
            yield {"what": "milestones", "run": number, "members": members} | measured
    seconds, bare = (median(each[key] for each in found) for key in ("seconds", "bare_seconds"))
    yield {
        "what": f"daily milestones, median of {runs}",
        "members": members,
        "transactions": SALES * members,
        "seconds": round(seconds, 2),
        "floor_seconds": round(bare, 2),
        "ratio_to_floor": round(seconds / bare, 2),
        "peak_memory_mb": max(each["peak_memory_mb"] for each in found),
        "granted": found[-1]["granted"],
    }


def _prepare(server: Server, name: str, members: int) -> None:
    set_up_programme(server, name)
    connection = server.connect(name)
    fill(connection, members)
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE)
    connection.close()
    with variables(server.environment(name)):
        with engine.transaction() as own:
            rules = in_force(own, date(2026, 10, 1))[1].model_copy(update=KEYS)
            install(own, rules, from_period=None, by="bench", at=NOW)
        engine.dispose()
    server.settle(name)


def _bare(server: Server, name: str) -> float:
    connection = server.connect(name)
    started = time.perf_counter()
    with connection.cursor() as cursor:
        for statement in BARE:
            cursor.execute(statement)
    connection.close()
    return time.perf_counter() - started


def main() -> None:
    """Run the day and print what it took."""
    started = time.perf_counter()
    done = run_day(NOW, NOW)
    seconds = time.perf_counter() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {
        "seconds": seconds,
        "peak_memory_mb": round(most / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1),
        "granted": done.granted,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()

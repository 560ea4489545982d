"""Segments of all members beside the bare SELECT that finds them."""

import resource
import time
from collections.abc import Callable, Iterator
from statistics import median

from loyalty.db import segments
from tests.bench.close import AT, SALES, Measured, fill, product, set_up_programme
from tests.bench.server import Server

BARE = """select count(*) from (
    select t.member_no, count(*), max(t.occurred_at), sum(t.amount) from loyalty.transactions as t
    where t.occurred_at <= '2026-11-01 12:00+00' group by t.member_no
) as bought"""


def compute(server: Server, members: int, runs: int) -> Iterator[Measured]:
    """Measure the SELECT and the segments in turn, on members with three sales each; each time, then the summary.

    A first round, number 0, is not counted.
    """
    found: list[tuple[float, float]] = []
    with server.database("segments") as name:
        set_up_programme(server, name)
        connection = server.connect(name)
        fill(connection, members)
        connection.close()
        server.settle(name)
        with product(server, name):
            for number in range(runs + 1):
                bare = _seconds(lambda: server.execute(BARE, name))
                whole = _seconds(lambda: segments.compute(AT, AT))
                yield {"what": "segments", "run": number, "members": members, "seconds": whole, "bare_seconds": bare}
                if number > 0:
                    found.append((bare, whole))
    bare, whole = (median(each) for each in zip(*found, strict=True))
    yield {
        "what": f"segments, median of {runs}",
        "members": members,
        "transactions": SALES * members,
        "seconds": round(whole, 2),
        "floor_seconds": round(bare, 2),
        "ratio_to_floor": round(whole / bare, 2),
        "seconds_per_million_members": round(whole * 1_000_000 / members, 2),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

"""The import of transactions beside a plain COPY of the same file.

`python -m tests.bench.imports FILE` is one import, into the programme found in the environment.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from loyalty.db.imports import import_transactions
from tests.bench.close import set_up_programme
from tests.bench.server import Server

SALES = 3

FILE = """copy (
    select
        'T' || n as transaction_id,
        'C' || 1 + (random() * (%(customers)s - 1))::bigint as customer_id,
        to_char(
            timestamp '2026-10-01' + random() * interval '31 days', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
        ) as occurred_at,
        ((random() * 20000)::bigint / 100.0)::numeric(12, 2) as amount
    from generate_series(1, %(transactions)s) as n
) to stdout with (format csv, header)"""

BARE = "create table copied (transaction_id text, customer_id text, occurred_at timestamptz, amount numeric)"
KEYS = "alter table copied add primary key (transaction_id)", "create index copied_by_customer on copied (customer_id)"
COPY = "copy copied from stdin with (format csv, header)"

Measured = dict[str, Any]


def imports(server: Server, customers: int, runs: int) -> Iterator[Measured]:
    """Measure COPY without keys, COPY with keys and the import in turn; each measurement, then the summary."""
    file = server.home / "transactions.csv"
    _write(server, file, customers)
    found: dict[str, list[Measured]] = {"copy without keys": [], "copy": [], "import": []}
    for number in range(1, runs + 1):
        for what, measurements in found.items():
            measured = _import(server, file) if what == "import" else _copy(server, file, keys=what == "copy")
            measurements.append(measured)
            yield {"what": what, "run": number, "transactions": SALES * customers} | measured
    seconds = {what: median(each["seconds"] for each in measurements) for what, measurements in found.items()}
    yield {
        "what": f"import, median of {runs}",
        "members": customers,
        "transactions": SALES * customers,
        "seconds": round(seconds["import"], 2),
        "copy_seconds": round(seconds["copy"], 2),
        "copy_without_keys_seconds": round(seconds["copy without keys"], 2),
        "ratio_to_copy": round(seconds["import"] / seconds["copy"], 2),
        "peak_memory_mb": max(each["peak_memory_mb"] for each in found["import"]),
        "rows": found["import"][-1]["rows"],
    }
    file.unlink()


def _write(server: Server, file: Path, customers: int) -> None:
    """Write the file: sales of random customers over October 2026, in no order."""
    connection = server.connect()
    with connection.cursor() as cursor, file.open("wb") as out:
        cursor.execute("select setseed(0.5)")
        cursor.copy_expert(cursor.mogrify(FILE, {"customers": customers, "transactions": SALES * customers}), out)
    connection.close()


def _copy(server: Server, file: Path, *, keys: bool) -> Measured:
    with server.database("copy") as name:
        connection = server.connect(name)
        with connection.cursor() as cursor, file.open("rb") as rows:
            for statement in (BARE, *(KEYS if keys else ())):
                cursor.execute(statement)
            server.settle(name)
            started = time.perf_counter()
            cursor.copy_expert(COPY, rows)
            seconds = time.perf_counter() - started
        connection.close()
        return {"seconds": seconds}


def _import(server: Server, file: Path) -> Measured:
    with server.database("import") as name:
        set_up_programme(server, name)
        server.settle(name)
        return server.run(name, "tests.bench.imports", str(file))


def main() -> None:
    """Import a file and print what it took."""
    started = time.perf_counter()
    done = import_transactions(sys.argv[1])
    seconds = time.perf_counter() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {
        "seconds": seconds,
        "peak_memory_mb": round(most / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1),
        "rows": {"read": done.read, "loaded": done.loaded, "unchanged": done.unchanged, "rejected": done.rejected},
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()

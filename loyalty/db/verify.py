"""The checks: every statement of sql/checks/ finds rows that must not be, so a sound database gives none."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from loyalty.db.engine import connect
from loyalty.db.statements import SQL, run

FOLDER = "checks"
SHOWN = 20
_PART = 1_000  # rows fetched at once


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a check: what it looks for, how many rows it found, and the first of them by column."""

    name: str
    looks_for: str
    found: int
    rows: tuple[dict[str, Any], ...]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return self.found == 0


def names() -> list[str]:
    """The names of all checks, in order."""
    return sorted(path.stem for path in (SQL / FOLDER).glob("*.sql"))


def verify() -> Iterator[Check]:
    """Run every check, one after the other, on one and the same state of the database; changes nothing."""
    with connect() as connection:
        connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True, stream_results=True, max_row_buffer=_PART
        )
        for name in names():
            started = time.monotonic()
            with run(connection, f"{FOLDER}/{name}") as found:
                rows = [dict(row) for row in found.mappings().fetchmany(SHOWN)]
                more = sum(len(part) for part in found.partitions(_PART)) if len(rows) == SHOWN else 0
            yield Check(name, _looks_for(name), len(rows) + more, tuple(rows), time.monotonic() - started)


def _looks_for(name: str) -> str:
    """What the header says that the check finds."""
    first = (SQL / FOLDER / f"{name}.sql").read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("-- does:").strip().removeprefix("finds ")

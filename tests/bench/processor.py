"""Processor time of a PostgreSQL server: what it worked, however busy the machine was with other things."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 spells small


def server_seconds(connection: Connection) -> float | None:
    """User and system seconds of all the server's processes so far, ended ones too; None where they can't be seen.

    They are seen on Linux, of a server on this machine.
    """
    if sys.platform != "linux":
        return None
    backend = _fields(connection.info.backend_pid)
    if not backend or backend[0] != "postgres":
        return None
    server = backend[2]  # the parent's number
    own = _fields(int(server)) or []
    ticks = sum(map(int, own[12:16]))  # of itself, and of its children that ended
    ticks += sum(int(fields[12]) + int(fields[13]) for fields in _all() if fields[2] == server)
    return ticks / os.sysconf("SC_CLK_TCK")


def _all() -> Iterator[list[str]]:
    for folder in Path("/proc").iterdir():
        fields = _fields(int(folder.name)) if folder.name.isdecimal() else None
        if fields:
            yield fields


def _fields(pid: int) -> list[str] | None:
    """Name, state, parent and so on, as /proc/PID/stat has them; None of a process that is gone."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    name, rest = told.partition("(")[2].rpartition(")")[::2]
    return [name, *rest.split()]

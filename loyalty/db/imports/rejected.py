"""FILE.rejected.csv: the bad rows as they stood in the file, each with its line and the reason.

The database keeps lines and reasons only; the rows are read from the file again, and only where one is wanted.
"""

import csv
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from sqlalchemy import Connection

from loyalty.db.imports.csv_file import Block, CsvFile
from loyalty.db.statements import run
from loyalty.errors import BadInput

_FETCHED = 10_000  # rejects held at a time
_LONGEST = 100_000  # characters of a field: many a program refuses a longer one
_ENDING = re.compile(r"(\.csv)?(\.gz)?$", re.IGNORECASE)
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def rejected_path(path: Path) -> Path:
    """Where the bad rows of a file go: F.rejected.csv beside F.csv or F.csv.gz."""
    return path.with_name(_ENDING.sub("", path.name) + ".rejected.csv")


def write_rejected(file: CsvFile, connection: Connection) -> int:
    """Write the rows that this session rejected, or remove the file of an earlier import if there are none.

    Returns their count. Raises BadInput when the file can't be written or removed; good rows are loaded then.
    """
    target = rejected_path(file.path)
    making = target.with_name(f"{target.name}.{os.getpid()}")
    rejects = _rejects(connection)
    try:
        first = next(rejects, None)
        if first is None:
            target.unlink(missing_ok=True)
            return 0
        try:
            with making.open("w", encoding="utf-8", newline="") as output:
                count = _write(output, file, first, rejects)
            shutil.copymode(file.path, making)  # it holds what the file holds, so the same people may read it
            making.replace(target)
        finally:
            making.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"{target}: can't be written ({error.strerror}); the good rows are loaded") from error
    return count


def _rejects(connection: Connection) -> Iterator[tuple[int, str]]:
    streaming = connection.execution_options(stream_results=True, yield_per=_FETCHED)
    yield from ((row.line, row.reason) for row in run(streaming, "imports/rejects"))


def _write(output: TextIO, file: CsvFile, first: tuple[int, str], rejects: Iterator[tuple[int, str]]) -> int:
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(["line", "reason", *map(_writable, file.header.names)])
    count = 0
    wanted: tuple[int, str] | None = first
    for block in file.blocks():
        rows = _Rows(block)
        while wanted and wanted[0] in rows:
            writer.writerow([*wanted, *map(_writable, rows[wanted[0]])])
            count += 1
            wanted = next(rejects, None)
        if not wanted:
            return count
    raise BadInput(f"{file.path}: changed while it was imported; the good rows of before are loaded")


class _Rows:
    """The rows of a block by the line they begin on."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._lines: list[bytes] | None = None
        self._records = {record.line: record.fields for record in block.records or ()}

    def __contains__(self, line: int) -> bool:
        if self._block.records is not None:
            return line in self._records
        return line < self._block.first_line + self._block.rows

    def __getitem__(self, line: int) -> list[str]:
        if self._block.records is not None:
            return self._records[line]
        if self._lines is None:
            self._lines = self._block.data.split(b"\n")
        return self._lines[line - self._block.first_line].decode("utf-8").split(",")


def _writable(field: str) -> str:
    if len(field) > _LONGEST:
        field = field[:_LONGEST] + "…"
    return _UNWRITABLE.sub("\ufffd", field)

"""What commands show: lines, tables and JSON on stdout, progress and remarks on stderr, files written whole."""

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from loyalty.errors import BadInput
from loyalty.rules.periods import display_period

PERIODS = frozenset({"period", "booked_period", "sale_period", "held_until", "from_period"})
"""Dates of these names are months, and written as YYYY-MM."""


def say(*lines: str) -> None:
    """Print lines."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def remark(line: str) -> None:
    """Say something beside the output, on stderr."""
    sys.stderr.write(f"{line}\n")


@contextmanager
def remarks_on_success() -> Iterator[Callable[[str], None]]:
    """Give a place for remarks: shown at once to a person at a terminal, else when the work is done.

    So a failure, which a program reads, stands alone on stderr.
    """
    if sys.stderr.isatty():
        yield remark
        return
    kept: list[str] = []
    yield kept.append
    for line in kept:
        remark(line)


def say_json(value: Any) -> None:
    """Print a value of ours as JSON: dataclasses are objects, instants UTC, months YYYY-MM, decimals text."""
    say(json.dumps(plain(value), ensure_ascii=False, indent=2))


def plain(value: Any, name: str = "") -> Any:
    """A value as JSON knows it; `name` is the key it stands under."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return _word(value, name)


def _word(value: Any, name: str) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return display_period(value) if name in PERIODS else value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if value is None or isinstance(value, str | int | float) else str(value)


def iso(instant: datetime) -> str:
    """An instant in UTC, as the exports write it."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def moment(instant: datetime | None) -> str:
    """An instant for people, in UTC and to the minute."""
    return "-" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()) -> list[str]:
    """Lines of aligned columns; those named in `right` are figures. An empty table has no line."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return []
    numbers = [header in set(right) for header in headers]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    return [_line(row, widths, numbers) for row in (headers, *cells)]


def say_list(what: str, headers: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()) -> None:
    """Print a table, or where it is empty that there are no `what`: so every list says something."""
    say(*(table(headers, rows, right=right) or [f"there are no {what}"]))


def _line(row: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    parts = (
        cell.rjust(width) if number else cell.ljust(width)
        for cell, width, number in zip(row, widths, numbers, strict=True)
    )
    return "  ".join(parts).rstrip()


def _cell(value: object) -> str:
    shown = plain(value)
    if shown is None:
        return "-"
    if isinstance(shown, int) and not isinstance(shown, bool):
        return f"{shown:,}"
    # what others typed must not steer the terminal
    return "".join(symbol if symbol.isprintable() else "?" for symbol in str(shown))


@contextmanager
def output(path: str | None) -> Iterator[BinaryIO]:
    """Give stdout, or a file that appears under its name only when it is whole. Raises BadInput if that fails."""
    if path is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    try:
        if target.exists() and not target.is_file():  # a device or a pipe can't be replaced by a file
            with target.open("wb") as device:
                yield device
            return
        with _whole_file(target) as file:
            yield file
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror or error}") from error


@contextmanager
def _whole_file(target: Path) -> Iterator[BinaryIO]:
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)

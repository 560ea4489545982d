"""Rows that need care: quoted, trimmed, of a wrong width, with bytes that no text may have."""

import csv
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

BROKEN_UTF8 = "broken UTF-8"
CONTROL = "control character"
OVER_LONG = "over-long field"
QUOTING = "wrong quoting"
WIDTH = "wrong number of columns"

_BROKEN = re.compile("[\ud800-\udfff]")  # what surrogateescape makes of bytes that are no UTF-8
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BREAK = re.compile("[\t\n]")
_FIELD_LIMIT = 1 << 17  # the csv module's own


class Record(NamedTuple):
    """A row: the line it begins on, its fields, and the reason why it can't be taken, if there is one already."""

    line: int
    fields: list[str]
    reason: str | None


class Shape(Protocol):
    """What must be known of a header to read rows below it."""

    @property
    def columns(self) -> tuple[str | None, ...]:
        """For each field the column it belongs to."""

    @property
    def free(self) -> frozenset[str]:
        """Columns that may hold line breaks."""


class _Feed(Iterator[str]):
    """Lines for the csv module: those of a block, then the file's next ones while a quoted field is open."""

    def __init__(self, data: bytes, pull: Callable[[], bytes]) -> None:
        self.lines = _texts(data)
        self.at = 0
        self._pull = pull

    def __next__(self) -> str:
        if self.at == len(self.lines):
            self.lines.extend(_texts(self._pull()))
        if self.at == len(self.lines):
            raise StopIteration
        self.at += 1
        return self.lines[self.at - 1]


def parse(data: bytes, first_line: int, shape: Shape, pull: Callable[[], bytes]) -> tuple[list[Record], int]:
    """The rows of a block, and how many lines they take; `pull` gives a further line of the file, or nothing.

    Empty lines are no rows. A quote that opens and never closes costs one row only: reading goes on with the next line.
    """
    feed = _Feed(data, pull)
    reader = csv.reader(feed, strict=True)
    records: list[Record] = []
    while (start := feed.at) < len(feed.lines):
        try:
            fields = next(reader, [])
            reason = _reason(fields, shape)
        except csv.Error:
            fields, reason = [feed.lines[start].removesuffix("\n")], _reason_of_line(feed.lines[start])
            feed.at = start + 1
            reader = csv.reader(feed, strict=True)
        if reason == WIDTH and feed.at > start + 1:
            fields, feed.at = feed.lines[start].removesuffix("\n").split(","), start + 1
        if fields:
            records.append(Record(first_line + start, [field.strip(" ") for field in fields], reason))
    return records, len(feed.lines)


def _texts(data: bytes) -> list[str]:
    # not splitlines(): it takes other characters for line ends too
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    return [line + "\n" for line in lines[:-1]]


def _reason(fields: list[str], shape: Shape) -> str | None:
    """What is wrong with a row that the csv module could read, as far as its text tells."""
    whole = "".join(fields)
    if _BROKEN.search(whole):
        return BROKEN_UTF8
    if len(fields) != len(shape.columns):
        return WIDTH
    if _CONTROL.search(whole):
        return CONTROL
    if _BREAK.search(whole):
        pairs = zip(fields, shape.columns, strict=True)
        if any(column and column not in shape.free and _BREAK.search(field) for field, column in pairs):
            return CONTROL
    return None


def _reason_of_line(line: str) -> str:
    """What is wrong with a line that the csv module refuses."""
    if _BROKEN.search(line):
        return BROKEN_UTF8
    if "\r" in line:
        return CONTROL
    return OVER_LONG if len(line) > _FIELD_LIMIT else QUOTING

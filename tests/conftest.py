"""What all tests share: one real PostgreSQL, and for each test that asks a migrated database of its own.

LOYALTY_TEST_DATABASE_URL names any PostgreSQL 15+ whose user may create databases; without it an embedded server
is started for the session, in a folder that goes with it. Workers of pytest-xdist share the server and the template.
"""

import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import URL, Connection, create_engine, make_url, text

from loyalty.db import embedded, engine, migrations

HOME = "LOYALTY_TEST_HOME"  # the session's folder; the workers inherit it
MEMORY = Path("/dev/shm")  # noqa: S108 - a database is made for nearly each test: a quarter of a second on disc, a thirtieth here
ENOUGH = 4 * 2**30  # bytes free: a session needs about half of it
SERVER = "LOYALTY_TEST_DATABASE_URL"
MIGRATED_AT = datetime(2026, 1, 1, tzinfo=UTC)

_common = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.function_scoped_fixture]}
hypothesis.settings.register_profile("few", max_examples=20, **_common)  # type: ignore[arg-type]
hypothesis.settings.register_profile("soak", max_examples=1000, **_common)  # type: ignore[arg-type]
hypothesis.settings.load_profile("few")


def pytest_configure(config: pytest.Config) -> None:
    """Make the session's folder, once: in memory where there is enough of it. The tests' own folders lie in it too."""
    if not hasattr(config, "workerinput"):
        roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ENOUGH
        os.environ[HOME] = tempfile.mkdtemp(prefix="loyalty-tests-", dir=MEMORY if roomy else None)
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", os.environ[HOME])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind: no server, no folder, no template."""
    if hasattr(config, "workerinput"):
        return
    home = Path(os.environ.pop(HOME))
    if SERVER not in os.environ:
        with _environment(LOYALTY_HOME=str(home)):
            embedded.stop()
    elif (home / "template").exists():
        with _administration(make_url(os.environ[SERVER])) as connection:
            connection.execute(text(f"drop database if exists {_template_name(home)} with (force)"))
    shutil.rmtree(home)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's own settings, or writes to a home that isn't its own.

    The home isn't below tmp_path: pytest takes others' search permission from its folders whenever a session
    starts, and as root the embedded server is another user.
    """
    for name in list(os.environ):
        if name.startswith("LOYALTY_") and name not in {HOME, SERVER}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("LOYALTY_HOME", str(Path(os.environ[HOME]) / uuid.uuid4().hex / "home"))


@pytest.fixture(scope="session")
def server() -> URL:
    """The server all tests share, with a user who may create databases."""
    if SERVER in os.environ:
        return make_url(os.environ[SERVER])
    with _environment(LOYALTY_HOME=os.environ[HOME]), _locked(Path(os.environ[HOME])):
        fresh = not embedded.status().running
        url = make_url(embedded.start())
        if fresh:
            with _administration(url) as connection:  # a test's data need not outlive a power cut
                connection.execute(text("alter system set fsync = off"))
                connection.execute(text("alter system set full_page_writes = off"))
                connection.execute(text("alter system set max_wal_size = '512MB'"))
                connection.execute(text("select pg_reload_conf()"))
        return url


@pytest.fixture(scope="session")
def template(server: URL) -> str:
    """The name of a database that is migrated and empty: made once a session, whoever asks first."""
    home = Path(os.environ[HOME])
    name = _template_name(home)
    with _locked(home):
        if not (home / "template").exists():
            _create(server, name)
            with (
                _environment(LOYALTY_DATABASE_URL=_text(server.set(database=name))),
                engine.connect() as connection,
            ):
                migrations.migrate(connection, at=MIGRATED_AT)
            engine.dispose()
            (home / "template").touch()
    return name


@pytest.fixture
def empty_database(server: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[URL]:
    """A database with nothing in it, which LOYALTY_DATABASE_URL names."""
    with _database(server, monkeypatch, like="template0") as url:
        yield url


@pytest.fixture
def database(server: URL, template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[URL]:
    """A migrated database of the test's own, which LOYALTY_DATABASE_URL names; it goes with the test."""
    with _database(server, monkeypatch, like=template) as url:
        yield url


@pytest.fixture
def connection(database: URL) -> Iterator[Connection]:
    """A connection to `database`, as the product makes them."""
    with engine.connect() as opened:
        yield opened


@contextmanager
def _database(server: URL, monkeypatch: pytest.MonkeyPatch, *, like: str) -> Iterator[URL]:
    url = server.set(database=f"loyalty_test_{uuid.uuid4().hex}")
    _create(server, str(url.database), like)
    monkeypatch.setenv("LOYALTY_DATABASE_URL", _text(url))
    try:
        yield url
    finally:
        engine.dispose()
        with _administration(server) as connection:
            connection.execute(text(f"drop database {url.database} with (force)"))


def _create(server: URL, name: str, like: str = "template0") -> None:
    with _administration(server) as connection:
        connection.execute(text(f"create database {name} template {like}"))


@contextmanager
def _administration(server: URL) -> Iterator[Connection]:
    """A connection outside the database under test, and outside transactions."""
    made = create_engine(server.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    try:
        with made.connect() as opened:
            yield opened
    finally:
        made.dispose()


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One worker at a time."""
    with (home / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Variables for a while, where no test's monkeypatch is at hand."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def _template_name(home: Path) -> str:
    return f"loyalty_template_{home.name.rpartition('-')[2]}".lower()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)

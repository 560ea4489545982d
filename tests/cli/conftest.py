"""The command line as tests use it: in this process, against a database of the test's own."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text

from loyalty import cli
from loyalty.db import engine

CLOCK = "2026-03-03T12:00:00Z"
ROWS = """transaction_id,customer_id,occurred_at,amount,kind,original_transaction_id
T1,ann,2026-01-05T10:00:00Z,300.00,sale,
T2,ann,2026-02-05T10:00:00Z,100.00,refund,T1
T3,bob,2026-01-06T10:00:00Z,2600.00,sale,
T4,cyd,2026-01-07T10:00:00Z,0.95,sale,
T5,cyd,2026-03-01T10:00:00Z,20.00,sale,
"""


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


Loyalty = Callable[..., Done]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Loyalty:
    """Runs `loyalty` with these arguments, where no Prefect server is known."""
    _surround(monkeypatch, tmp_path)

    def run(*arguments: str | Path) -> Done:
        capfd.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        return Done(code, *capfd.readouterr())

    return run


@pytest.fixture
def loyalty(database: URL, command: Loyalty) -> Loyalty:
    """`loyalty` on a migrated database without a programme."""
    return command


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of five transactions of three customers in three months."""
    file = tmp_path / "rows.csv"
    file.write_text(ROWS)
    return file


@pytest.fixture
def programme(loyalty: Loyalty) -> Loyalty:
    """`loyalty` once the programme is set up."""
    assert loyalty("migrate").code == 0
    return loyalty


@pytest.fixture(scope="session")
def closed(server: URL, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A database with the file loaded and January and February 2026 closed, made once, to be cloned."""
    folder = tmp_path_factory.mktemp("closed")
    rows = folder / "rows.csv"
    rows.write_text(ROWS)
    with _new_database(server, template) as url:
        with pytest.MonkeyPatch.context() as patch:  # not beyond: the environment is everybody's
            _surround(patch, folder)
            patch.setenv("LOYALTY_DATABASE_URL", url.render_as_string(hide_password=False))
            for arguments in (["migrate"], ["import", "transactions", str(rows)], ["backfill", "2026-01", "2026-02"]):
                assert cli.run(arguments) == 0
            engine.dispose()
        yield url


@pytest.fixture
def two_months(server: URL, closed: URL, command: Loyalty, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loyalty]:
    """`loyalty` on a clone of `closed`."""
    with _new_database(server, str(closed.database)) as url:
        monkeypatch.setenv("LOYALTY_DATABASE_URL", url.render_as_string(hide_password=False))
        yield command
        engine.dispose()


@pytest.fixture
def another_database(server: URL, template: str) -> Iterator[str]:
    """The URL of a second migrated database without a programme."""
    with _new_database(server, template) as url:
        yield url.render_as_string(hide_password=False)
        engine.dispose()


def _surround(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("LOYALTY_CLOCK", CLOCK)
    patch.setenv("PREFECT_HOME", str(folder / "prefect"))
    patch.delenv("PREFECT_API_URL", raising=False)


@contextmanager
def _new_database(server: URL, like: str) -> Iterator[URL]:
    url = server.set(database=f"loyalty_test_{uuid.uuid4().hex}")
    made = create_engine(server.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        connection.execute(text(f"create database {url.database} template {like}"))
    try:
        yield url
    finally:
        with made.connect() as connection:
            connection.execute(text(f"drop database {url.database} with (force)"))
        made.dispose()

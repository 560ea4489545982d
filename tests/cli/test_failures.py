"""How commands fail: in one line, never with a traceback, and with nobody's data in the log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL

from loyalty.commands.failures import guarded
from loyalty.errors import BadInput, ConfigurationError, Refused, WrongUse
from tests.cli.conftest import Loyalty

NEEDS_A_PROGRAMME = (
    "close 2026-01",
    "close 2026-01 --simulate",
    "backfill 2026-01 2026-02",
    "expire",
    "notify",
    "reviews list",
    "member ann",
    "export statements 2026-01",
    "export entries",
    "report 2026-01",
    "verify",
    "rules show",
)


def _raised(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (Refused("not now"), 1, "loyalty: not now\n"),
        (WrongUse("not so"), 2, "loyalty: not so\n"),
        (BadInput(["first", "second"]), 1, "loyalty: first\nloyalty: second\n"),
        (BadInput("/reason: must be short"), 1, "loyalty: reason: must be short\n"),
        (ConfigurationError("LOYALTY_CLOCK", "is odd"), 1, "loyalty: LOYALTY_CLOCK is odd\n"),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), 1, "loyalty: x.csv: No such file or directory\n"),
        (KeyboardInterrupt(), 130, "loyalty: interrupted; started again, it goes on where it ended\n"),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_a_failure_is_one_line(error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Law: each kind of failure has its exit code and its line, a file's mistakes a line each."""
    assert guarded(lambda: _raised(error)) == code
    assert capsys.readouterr() == ("", told)


def test_the_unforeseen_is_logged_without_values(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Law: what nobody foresaw is one line, and a log that says where in the code, never with which values."""
    monkeypatch.setenv("LOYALTY_HOME", str(tmp_path))
    assert guarded(lambda: _raised(KeyError("ann@example.com +15550100"))) == 1
    log = tmp_path / "logs" / "errors.log"
    assert capsys.readouterr() == ("", f"loyalty: something unforeseen went wrong (KeyError); where, is in {log}\n")
    written = log.read_text()
    assert "test_failures.py" in written
    assert "KeyError" in written
    assert "ann@example.com" not in written
    assert "5550100" not in written


def test_a_log_that_cannot_be_written_is_no_second_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Law: without a place for the log the line itself says where in the code it happened."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOYALTY_HOME", str(tmp_path / "file"))
    assert guarded(lambda: _raised(KeyError("secret"))) == 1
    told = capsys.readouterr().err
    assert told.startswith("loyalty: something unforeseen went wrong (KeyError in tests/cli/test_failures.py, line ")


@pytest.mark.parametrize("typed", NEEDS_A_PROGRAMME)
def test_without_a_database_of_ours_migrate_is_named(command: Loyalty, empty_database: URL, typed: str) -> None:
    """Law: every command that needs the programme says in one line that it must be set up first."""
    done = command(*typed.split())
    assert (done.code, done.out, done.err) == (
        1,
        "",
        "loyalty: the database is not set up yet: run `loyalty migrate`\n",
    )


def test_without_a_programme_migrate_is_named(loyalty: Loyalty) -> None:
    """Law: a schema without a programme is not set up either."""
    done = loyalty("verify")
    assert (done.code, done.err) == (1, "loyalty: the programme is not set up yet: run `loyalty migrate`\n")


def test_a_reader_that_leaves_is_no_failure_worth_a_word(two_months: Loyalty) -> None:
    """Law: `loyalty export entries | head` prints nothing on stderr, however early the reader leaves."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "loyalty", "export", "entries"]
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"")

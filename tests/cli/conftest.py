"""The command line as tests use it: in this process, against a database of the test's own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL

from loyalty import cli

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
def loyalty(
    database: URL, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Loyalty:
    """Runs `loyalty` with these arguments, on a database without a programme, where no Prefect server is known."""
    monkeypatch.setenv("LOYALTY_CLOCK", CLOCK)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    def run(*arguments: str | Path) -> Done:
        capfd.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        return Done(code, *capfd.readouterr())

    return run


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


@pytest.fixture
def two_months(programme: Loyalty, rows: Path) -> Loyalty:
    """`loyalty` once the file is loaded and January and February 2026 are closed."""
    assert programme("import", "transactions", rows).code == 0
    assert programme("backfill", "2026-01", "2026-02").code == 0
    return programme

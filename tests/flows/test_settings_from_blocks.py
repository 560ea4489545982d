"""Settings that a flow takes from blocks."""

import os
import subprocess
import sys
from pathlib import Path

from sqlalchemy import URL, text

from loyalty.db.engine import connect
from loyalty.monthly import Terms, chosen_periods, close_month
from tests.flows.conftest import ROOT, Command

_SAVED_AND_USED = """
import os, sys
from blocks.programme_database import ProgrammeDatabase
ProgrammeDatabase(url=os.environ.pop("LOYALTY_DATABASE_URL")).save("loyalty", overwrite=True)
from flows.monthly_loyalty import monthly_loyalty
monthly_loyalty()
"""


def test_a_flow_finds_its_database_in_the_block(shop: URL, through_prefect: Command) -> None:
    """Law: where the environment names no database a flow uses the block's; and it closes the last whole month."""
    for period in chosen_periods("2026-01", "2026-02"):
        assert close_month(period, Terms()) == "closed"
    command = [sys.executable, "-c", _SAVED_AND_USED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    with connect() as connection:
        closed = connection.execute(text("select max(period) from loyalty.closes where finished_at is not null"))
        assert str(closed.scalar_one()) == "2026-03-01"
    assert not (Path(os.environ["LOYALTY_HOME"]) / "postgres").exists()

"""Where the batches of a month are worked on is a setting: threads of one process, or processes of Dask or Ray."""

import importlib.util
import os
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest
from sqlalchemy import Connection, text

from loyalty.db import engine
from tests.flows.conftest import ROOT, Prefect
from tests.laws import gate, shop
from tests.laws.product import Product

PROCESSES = {"threads": 1, "dask": 2} | ({"ray": 2} if importlib.util.find_spec("ray") else {})


@pytest.mark.parametrize("runner", PROCESSES)
def test_a_month_is_the_same_wherever_its_batches_are_worked_on(
    small_shop: Product, undisturbed: dict[str, Any], prefect_server: Prefect, runner: str
) -> None:
    """Law: two batches at work at once, in one process or in two others, and the books are those of a plain close."""
    environment = os.environ | {
        "PREFECT_API_URL": prefect_server.api,
        "PREFECT_HOME": str(prefect_server.home / "client"),
        "LOYALTY_CLOCK": shop.FEBRUARY_CLOSED_AT.isoformat(),
        "LOYALTY_TASK_RUNNER": runner,
    }
    command = [sys.executable, "-m", "loyalty", "close", "2026-02"]
    with gate.shut("work_spend", "true") as keeper:
        closing = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        working = _at_the_gate(keeper, closing, batches=2)
    told, problems = closing.communicate(timeout=gate.PATIENCE_S)
    gate.removed()

    assert (closing.returncode, told) == (0, "2026-02 closed: 12 statements, 6 moves\n"), problems
    assert len(working) == PROCESSES[runner]
    assert (closing.pid in working) == (runner == "threads")
    assert shop.books(small_shop) == undisturbed


def _at_the_gate(keeper: Connection, closing: "subprocess.Popen[str]", *, batches: int) -> set[int]:
    """The processes whose connections wait at the gate, once so many do."""
    waiting = text(
        "select client_port from pg_stat_activity join pg_locks using (pid)"
        f" where locktype = 'advisory' and objid = {gate.GATE} and not granted"
    )
    deadline = time.monotonic() + gate.PATIENCE_S
    while len(ports := set(keeper.scalars(waiting))) < batches:
        keeper.rollback()
        assert closing.poll() is None, closing.communicate()
        assert time.monotonic() < deadline, "they never came there"
        time.sleep(0.05)
    keeper.rollback()
    server = engine.engine().url.port
    return {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.pid and connection.raddr and connection.raddr.port == server and connection.laddr.port in ports
    }

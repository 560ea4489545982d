"""A deployed run whose processes die is found, told of, and begun again by itself."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments import automations, recovery
from loyalty.db import engine
from tests.laws import gate, shop
from tests.laws.product import Product
from tests.laws.test_killed import ROWS
from tests.recovery import lab
from tests.recovery.lab import Lab

SILENCE_S = 15  # instead of 90; the run is killed within the first few
SETTLING_S = 10  # instead of 30; nobody is left to report the crash a second time


@pytest.fixture
def quick_lab(small_shop: Product) -> Iterator[Lab]:
    """A Prefect server with our deployments and automations, which notices silence soon."""
    small_shop.tell_time(shop.FEBRUARY_CLOSED_AT)
    with lab.opened(Path(os.environ["LOYALTY_HOME"]) / "prefect") as opened:
        opened.hasten(automations.SILENCE, SILENCE_S)
        opened.hasten(automations.SETTLED, SETTLING_S)
        yield opened


def test_a_run_outlives_its_worker_and_its_process(
    small_shop: Product, undisturbed: dict[str, Any], quick_lab: Lab
) -> None:
    """Law: killed in step 8 with its worker, a run is found, told of once, begun again, ends as an undisturbed one."""
    quick_lab.start_worker()
    with gate.shut(*ROWS["create_reward_voucher"]) as keeper:
        run = quick_lab.begin("monthly_loyalty", period="2026-02")
        lab.await_gate(keeper)
        quick_lab.kill_all()
    engine.dispose()
    gate.removed()
    quick_lab.start_worker()
    ended = quick_lab.completed(run)

    states = [name for name, _ in quick_lab.history(run) if name not in {"Pending", "Submitting"}]
    assert states == ["Scheduled", "Running", "Crashed", "AwaitingRetry", "Running", "Completed"]
    assert ended["state"]["message"] == "2026-02 closed: 12 statements, 6 moves"
    ((subject, text),) = lab.told(Path(os.environ["LOYALTY_HOME"]))
    assert subject == "Loyalty: monthly_loyalty 2026-02 crashed"
    assert text.splitlines() == [
        f"monthly_loyalty, run 2026-02: {recovery.SILENT}",
        "",
        "It begins again by itself, 3 times at most.",
        f"http://127.0.0.1:{quick_lab.port}/runs/flow-run/{run}",
    ]
    assert shop.books(small_shop) == undisturbed

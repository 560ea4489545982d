"""Every way in which a deployed run may die, tried on real processes: `make kills`. Too long for every test run.

Each time the run begins again by itself, and what is in the books afterwards is what an undisturbed close leaves.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from deployments import automations
from loyalty.db import embedded, engine
from tests.laws import gate, shop
from tests.laws.product import Product
from tests.laws.test_killed import ROWS, STEPS, _kill_server
from tests.recovery import lab
from tests.recovery.lab import Lab

SMALL_MB = 250  # of a disk that a database of one shop nearly fills


@pytest.fixture(scope="module")
def one_lab(server: URL, shop_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server for all of them. Its deployments are those of the checkout, whatever database is theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOYALTY_DATABASE_URL", server.set(database=shop_database).render_as_string(hide_password=False))
        with lab.opened(tmp_path_factory.mktemp("prefect")) as opened:
            yield opened


@pytest.fixture
def begun(one_lab: Lab, small_shop: Product) -> Iterator[Lab]:
    """The lab with a worker for a shop of the test's own."""
    small_shop.tell_time(shop.FEBRUARY_CLOSED_AT)
    one_lab.start_worker()
    yield one_lab
    one_lab.kill_all()


@pytest.mark.parametrize("step", STEPS)
def test_the_process_killed(begun: Lab, small_shop: Product, undisturbed: dict[str, Any], step: str) -> None:
    """Law: its worker reports the crash, and the run begins again."""
    with gate.shut(*ROWS[step]) as keeper:
        run = begun.begin("monthly_loyalty", period="2026-02")
        lab.await_gate(keeper)
        for process in begun.flow_processes():
            lab.kill(process)
    _through(begun, run)

    assert _states(begun, run) == ["Scheduled", "Running", "Crashed", "AwaitingRetry", "Running", "Completed"]
    assert shop.books(small_shop) == undisturbed


@pytest.mark.parametrize("step", ["get_recent_transactions", "update_customer_points_balance"])
def test_the_worker_killed_too(begun: Lab, small_shop: Product, undisturbed: dict[str, Any], step: str) -> None:
    """Law: nobody reports the crash; it is found by the silence, and another worker takes the run."""
    begun.hasten(automations.SILENCE, 20)
    with gate.shut(*ROWS[step]) as keeper:
        run = begun.begin("monthly_loyalty", period="2026-02")
        lab.await_gate(keeper)
        begun.kill_all()
    begun.start_worker()
    _through(begun, run)
    begun.hasten(automations.SILENCE, automations.SILENCE_SECONDS)

    assert _states(begun, run) == ["Scheduled", "Running", "Crashed", "AwaitingRetry", "Running", "Completed"]
    assert shop.books(small_shop) == undisturbed


def test_prefects_server_restarted(begun: Lab, small_shop: Product, undisturbed: dict[str, Any]) -> None:
    """Law: a run outlasts some time without Prefect's server."""
    assert begun.server is not None
    with gate.shut(*ROWS["update_customer_points_balance"]) as keeper:
        run = begun.begin("monthly_loyalty", period="2026-02")
        lab.await_gate(keeper)
        lab.kill(begun.server)
    engine.dispose()
    gate.removed()
    time.sleep(30)
    begun.start_server()
    begun.completed(run)

    assert _states(begun, run)[-1] == "Completed"
    assert shop.books(small_shop) == undisturbed


def test_a_cancelled_run_stays_cancelled(begun: Lab, small_shop: Product) -> None:
    """Law: what a person stopped begins by nothing but a person's wish, and then it goes on."""
    with gate.shut(*ROWS["determine_tier_eligibility"]) as keeper:
        run = begun.begin("monthly_loyalty", period="2026-02")
        lab.await_gate(keeper)
        begun.ask(f"flow_runs/{run}/set_state", state={"type": "CANCELLING"})
        begun.awaited(run, lambda found: found["state"]["type"] == "CANCELLED")
        time.sleep(30)
    engine.dispose()
    gate.removed()

    assert _states(begun, run) == ["Scheduled", "Running", "Cancelling", "Cancelled"]
    begun.ask(f"flow_runs/{run}/set_state", state={"type": "SCHEDULED", "name": "AwaitingRetry"})
    assert begun.completed(run)["state"]["message"] == "2026-02 closed: 12 statements, 6 moves"


def test_two_workers_share_a_backfill(begun: Lab, small_shop: Product, undisturbed: dict[str, Any]) -> None:
    """Law: a backfill and a monthly run on two workers at once: the lock orders them, each month is closed once."""
    begun.start_worker()
    runs = [
        begun.begin("backfill", first="2026-01", last="2026-02", notify=True),
        begun.begin("monthly_loyalty", period="2026-02"),
    ]
    told = sorted(begun.completed(run)["state"]["message"] for run in runs)

    assert told in (
        ["2026-01 to 2026-02: 1 of 2 months closed", "2026-02 is closed already: unchanged"],
        ["2026-01 to 2026-02: unchanged", "2026-02 closed: 12 statements, 6 moves"],
    )
    assert shop.books(small_shop) == undisturbed


def test_a_backfill_killed(begun: Lab, small_shop: Product, undisturbed: dict[str, Any]) -> None:
    """Law: it begins again at the month where it was, and that month's run, a part of its own, ends with it."""
    with gate.shut(*ROWS["update_loyalty_tier"]) as keeper:
        run = begun.begin("backfill", first="2026-01", last="2026-02", notify=True)
        lab.await_gate(keeper)
        for process in begun.flow_processes():
            lab.kill(process)
    engine.dispose()
    gate.removed()
    ended = begun.completed(run)["state"]["message"]

    parts = begun.ask("flow_runs/filter", flow_runs={"parent_flow_run_id": {"any_": [run]}})
    assert ended == "2026-01 to 2026-02: 1 of 2 months closed"
    assert {part["state"]["type"] for part in parts} == {"COMPLETED"}
    assert shop.books(small_shop) == undisturbed


@pytest.mark.parametrize("step", ["get_recent_transactions", "update_customer_points_balance", "create_reward_voucher"])
def test_the_database_killed(
    one_lab: Lab, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str
) -> None:
    """Law: its unlogged tables are empty when it is back; the run begins anew in the same process."""
    begun = _on_its_own(monkeypatch, tmp_path)
    try:
        one_lab.start_worker()
        with gate.shut(*ROWS[step]) as keeper:
            run = one_lab.begin("monthly_loyalty", period="2026-02")
            lab.await_gate(keeper)
            _kill_server()
        _through(one_lab, run)

        assert _states(one_lab, run) == ["Scheduled", "Running", "Completed"]
        assert shop.books(begun) == undisturbed
    finally:
        one_lab.kill_all()
        embedded.stop()


def test_the_disk_full(
    one_lab: Lab, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Law: the run crashes with that reason within three minutes; once there is room it is begun again by itself."""
    # not below tmp_path, which other sessions of pytest close to the embedded server's user
    with _small_disk(Path(os.environ["LOYALTY_HOME"]).with_name("small")) as disk:
        monkeypatch.setenv("LOYALTY_HOME", str(disk / "home"))
        begun = _on_its_own(monkeypatch, tmp_path)
        try:
            one_lab.start_worker()
            with gate.shut(*ROWS["get_recent_transactions"]) as keeper:
                run = one_lab.begin("monthly_loyalty", period="2026-02")
                lab.await_gate(keeper)
                filled = time.monotonic()
                _fill(disk / "filler")
            engine.dispose()
            found = one_lab.awaited(run, lambda each: each["state"]["type"] == "CRASHED")
            assert time.monotonic() - filled < 180
            assert "No space left on device" in found["state"]["message"]
            (disk / "filler").unlink()
            gate.removed()
            one_lab.completed(run)
            assert shop.books(begun) == undisturbed
        finally:
            one_lab.kill_all()
            embedded.stop()


def _through(begun: Lab, run: str) -> None:
    """Open the gate, and wait until the run is completed."""
    engine.dispose()
    gate.removed()
    assert begun.completed(run)["state"]["message"] == "2026-02 closed: 12 statements, 6 moves"


def _states(begun: Lab, run: str) -> list[str]:
    return [name for name, _ in begun.history(run) if name not in {"Pending", "Submitting"}]


def _on_its_own(patch: pytest.MonkeyPatch, folder: Path) -> Product:
    """A shop on an embedded server of its own, which workers started from now on use."""
    patch.delenv("LOYALTY_DATABASE_URL", raising=False)
    begun = shop.opened(patch, folder)
    begun.tell_time(shop.FEBRUARY_CLOSED_AT)
    return begun


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own in memory; takes root."""
    folder.mkdir(parents=True)
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={SMALL_MB}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", str(folder)], check=True)


def _fill(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(b" " * 65_536)

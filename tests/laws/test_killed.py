"""A close that dies: killed inside each of its steps, or with the server under it, it is simply started again."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from loyalty import monthly
from loyalty.db import embedded, engine
from tests.laws import gate, processes, shop
from tests.laws.product import Product

# What each step writes, and a row of it that belongs neither to the first range of members nor to the last.
ROWS = {
    "retrieve_customer_profile": ("work_profiles", "new.member_no = 6"),
    "get_recent_transactions": ("work_transactions", "new.member_no = 6"),
    "calculate_total_monthly_spend": ("work_spend", "new.member_no = 6"),
    "calculate_loyalty_points_earned": ("work_points", "new.member_no = 6"),
    "determine_tier_eligibility": ("work_tiers", "new.member_no = 6"),
    "update_customer_points_balance": ("statements", "new.member_no = 6"),
    "update_loyalty_tier": ("tier_history", "new.member_no = 6"),
    "create_reward_voucher": ("vouchers", "new.member_no = 6"),
    "assign_loyalty_manager_review": ("reviews", "new.member_no = 7"),
    "verify_physical_gift_dispatch": ("gift_dispatches", "new.member_no = 6"),
    "send_tier_upgrade_notification": ("outbox", "new.kind = 'tier_upgrade' and new.member_no = 6"),
    "send_instant_points_alert": ("outbox", "new.kind = 'points_credited' and new.member_no = 6"),
    "generate_monthly_loyalty_health_report": ("reports", "new.kind = 'health'"),
    "remove_expired_vouchers": ("voucher_archive", "new.member_no = 6"),
    "aggregate_program_roi": ("reports", "new.kind = 'roi'"),
}
STEPS = tuple(step.name for step in monthly.STEPS)
RANGE = 3


@pytest.mark.parametrize("step", STEPS)
def test_a_close_killed_in_any_step_is_started_again(
    small_shop: Product, undisturbed: dict[str, Any], step: str
) -> None:
    """SIGKILL in the middle of a step: run again, the books are an uninterrupted run's, no message comes twice."""
    with _stuck(step) as process:
        process.kill()
        process.join()
    again = small_shop.close("2026-02", now=shop.FEBRUARY_CLOSED_AT)

    assert process.exitcode == -signal.SIGKILL
    assert again == "closed"
    assert shop.books(small_shop) == undisturbed
    assert small_shop.close("2026-02", now=shop.FEBRUARY_CLOSED_AT) == "unchanged"


@pytest.mark.parametrize("step", ["update_customer_points_balance", "create_reward_voucher"])
def test_a_close_outlives_its_server(
    undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str
) -> None:
    """The embedded server killed in the middle: the process starts it and the close again; the books are the same."""
    begun = shop.opened(monkeypatch, tmp_path)
    try:
        with _stuck(step) as process:
            _kill_server()
            process.join(gate.PATIENCE_S)

        assert process.exitcode == 0
        assert shop.books(begun) == undisturbed
    finally:
        embedded.stop()


@contextmanager
def _stuck(step: str) -> Iterator[ForkServerProcess]:
    """A process that closes February and can't get past a row of this step, until the end of the context."""
    with gate.shut(*ROWS[step]) as keeper:
        process = processes.start(processes.close_month, shop.FEBRUARY_CLOSED_AT, "2026-02", RANGE)
        try:
            gate.await_arrival(keeper, process)
            yield process
        finally:
            process.kill()
            process.join()
    engine.dispose()
    gate.removed()


def _kill_server() -> None:
    pid = embedded.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while embedded.status().pid == pid:  # the close may have started another one already
        time.sleep(0.01)

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
from sqlalchemy import Connection, text

from loyalty import monthly
from loyalty.db import embedded, engine
from tests.laws import processes, shop
from tests.laws.conftest import Databases

# What each step writes, and a row of it that belongs neither to the first range of members nor to the last.
ROWS = {
    "retrieve_customer_profile": ("work_profiles", "new.member_no = 6"),
    "get_recent_transactions": ("work_transactions", "new.member_no = 6"),
    "calculate_total_monthly_spend": ("work_spend", "new.member_no = 6"),
    "calculate_loyalty_points_earned": ("work_points", "new.member_no = 6"),
    "determine_tier_eligibility": ("work_tiers", "new.member_no = 6"),
    "update_customer_points_balance": ("statements", "new.member_no = 6"),
    "update_loyalty_tier": ("tier_history", "new.member_no = 6"),
    "create_reward_voucher": ("rewards", "new.member_no = 6"),
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
GATE = 4711  # the advisory lock that the row's trigger waits for
PATIENCE_S = 60


@pytest.fixture(scope="module")
def expected(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The books after a close that nothing interrupted."""
    with databases() as patch:
        return shop.closed(patch, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("step", STEPS)
def test_a_close_killed_in_any_step_is_started_again(
    databases: Databases, expected: dict[str, Any], tmp_path: Path, step: str
) -> None:
    """kill -9 in the middle of a step: run again, the books are those of an uninterrupted run, no message comes twice."""
    with databases() as patch:
        begun = shop.opened(patch, tmp_path)
        with _stuck(step) as process:
            process.kill()
            process.join()
        again = begun.close("2026-02", now=shop.FEBRUARY_CLOSED_AT)

        assert process.exitcode == -signal.SIGKILL
        assert again == "closed"
        assert shop.books(begun) == expected
        assert begun.close("2026-02", now=shop.FEBRUARY_CLOSED_AT) == "unchanged"


def test_a_close_outlives_its_server(expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The embedded server killed in steps 2, 5, 6 and 8: each time the close is started again, and its books are the same."""
    begun = shop.opened(monkeypatch, tmp_path)
    try:
        for step in ("get_recent_transactions", *STEPS[4:6], "create_reward_voucher"):
            with _stuck(step) as process:
                _kill_server()
                process.join(PATIENCE_S)

            assert process.exitcode == 1  # an error in one line, not a death
        again = begun.close("2026-02", now=shop.FEBRUARY_CLOSED_AT)

        assert again == "closed"
        assert shop.books(begun) == expected
    finally:
        embedded.stop()


@contextmanager
def _stuck(step: str) -> Iterator[ForkServerProcess]:
    """A process that closes February and can't get past a row of this step, until the end of the context."""
    table, row = ROWS[step]
    with engine.transaction() as connection:
        connection.execute(
            text(
                "create or replace function loyalty.wait_at_gate() returns trigger language plpgsql as"
                f" 'begin perform pg_advisory_xact_lock({GATE}); return new; end'"
            )
        )
        connection.execute(
            text(
                f"create trigger gate before insert on loyalty.{table} for each row when ({row})"
                " execute function loyalty.wait_at_gate()"
            )
        )
    with engine.connect() as keeper:
        keeper.execute(text(f"select pg_advisory_lock({GATE})"))
        keeper.commit()
        process = processes.start(processes.close_month, shop.FEBRUARY_CLOSED_AT, "2026-02", RANGE)
        try:
            _await_waiting(keeper, process)
            yield process
        finally:
            process.kill()
            process.join()
            keeper.invalidate()  # ends the session, and with it the lock
    engine.dispose()
    with engine.transaction() as connection:
        connection.execute(text("drop function loyalty.wait_at_gate cascade"))


def _await_waiting(connection: Connection, process: ForkServerProcess) -> None:
    """Wait until a statement of the process stands at the gate."""
    waiting = text(f"select count(*) from pg_locks where locktype = 'advisory' and objid = {GATE} and not granted")
    patience = time.monotonic() + PATIENCE_S
    while not connection.scalar(waiting):
        connection.rollback()
        assert process.is_alive(), f"the process ended before the step, with {process.exitcode}"
        assert time.monotonic() < patience, "the process never came to the step"
        time.sleep(0.01)
    connection.rollback()


def _kill_server() -> None:
    pid = embedded.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while embedded.status().pid is not None:
        time.sleep(0.01)

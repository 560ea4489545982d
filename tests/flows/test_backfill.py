"""The backfill and the daily flows, through a real Prefect server and without one."""

import uuid

from sqlalchemy import text

from loyalty.db.engine import connect
from tests.flows.conftest import Command, Prefect


def _scalar(query: str) -> object:
    with connect() as connection:
        return connection.execute(text(query)).scalar_one()


def test_a_backfill_is_a_run_with_a_run_for_each_month(through_prefect: Command, prefect_server: Prefect) -> None:
    """Law: months are closed in order, each a run named by it, reviews approved in the name given, nobody notified."""
    note = uuid.uuid4().hex
    months = ("backfill", "2026-01", "2026-02", "--reviews", "approve", "--by", "anna")
    done = through_prefect(*months, note=note)
    again = through_prefect(*months)
    runs = prefect_server.runs(note)

    assert (done.returncode, done.stdout) == (0, "2026-01 to 2026-02: 2 of 2 months closed\n"), done.stderr
    assert (again.returncode, again.stdout) == (0, "2026-01 to 2026-02: unchanged\n"), again.stderr
    assert [run["name"] for run in runs] == ["2026-01 to 2026-02", "2026-01", "2026-02"]
    assert _scalar("select string_agg(state || ' by ' || decided_by, ', ') from loyalty.reviews") == "approved by anna"
    assert _scalar("select count(*) from loyalty.outbox") == 0


def test_without_a_server_a_backfill_does_the_same(directly: Command) -> None:
    """Law: the same months, the same end, the same words."""
    months = ("backfill", "2026-01", "2026-02", "--reviews", "approve", "--by", "anna")
    done, again = directly(*months), directly(*months)

    assert (done.returncode, done.stdout) == (0, "2026-01 to 2026-02: 2 of 2 months closed\n"), done.stderr
    assert (again.returncode, again.stdout) == (0, "2026-01 to 2026-02: unchanged\n")
    assert _scalar("select string_agg(state || ' by ' || decided_by, ', ') from loyalty.reviews") == "approved by anna"
    assert _scalar("select count(*) from loyalty.outbox") == 0


def test_the_daily_flows_tell_what_they_did(through_prefect: Command, directly: Command) -> None:
    """Law: a delivery and an expiry say their counts, with Prefect and without."""
    assert directly("backfill", "2026-01", "2026-01", "--notify").returncode == 0
    sent = through_prefect("notify")
    nothing = directly("notify")
    expired = through_prefect("expire", "--as-of", "2027-02-01T00:00:00Z")

    assert (sent.returncode, sent.stdout.split(",")[0]) == (0, "3 sent"), sent.stderr
    assert nothing.stdout == "0 sent, 0 withheld, 0 delayed to the morning, 0 failed\n"
    assert (expired.returncode, expired.stdout.split(" and ")[0]) == (0, "3 lots with 399 points"), expired.stderr

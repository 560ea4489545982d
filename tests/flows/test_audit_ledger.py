"""The nightly audit: each check a task run, a failure told in a line, rows in an artifact without anybody's data."""

import re
import uuid

from sqlalchemy import URL, text

from loyalty.db.engine import transaction
from loyalty.db.verify import names
from tests.flows.conftest import Command, Prefect

SECRET = "ada@example.com"


def test_an_audit_fails_by_what_it_finds(shop: URL, prefect_server: Prefect, run_flow: Command) -> None:
    """Law: rows that must not be fail their check's task run and the run, whose line says which and what to do.

    Numbers of members are shown, other people's texts are not.
    """
    with transaction() as connection:
        connection.execute(text("update loyalty.accounts set balance = balance + 7 where member_no <= 2"))
        connection.execute(
            text(
                "insert into loyalty.transaction_keys (source_no, transaction_id, transaction_no, member_no,"
                " booked_period) values (1, :secret, 99999999, 3, '2026-01-01')"
            ),
            {"secret": SECRET},
        )
    note = uuid.uuid4().hex
    run_flow("audit_ledger", note)
    [run] = prefect_server.runs(note)
    found = prefect_server.filtered("artifacts", artifacts={"flow_run_id": {"any_": [run["id"]]}})
    [page] = [artifact for artifact in found if artifact["key"] == "audit-ledger"]
    assert run["state"]["type"] == "FAILED"
    assert run["state"]["message"] == (
        f"3 of {len(names())} checks failed: balances_are_the_sums_of_entries (2 rows), "
        "balances_are_what_lots_hold_less_debts (2 rows), transactions_have_their_keys (1 row). Nothing was changed: "
        "see the artifact audit-ledger, and close no month until the cause is known"
    )
    failed = [
        task["state"]["message"]
        for task in prefect_server.recorded(run["id"], len(names()))
        if task["state"]["type"] == "FAILED"
    ]
    assert sorted(failed) == ["1 row", "2 rows", "2 rows"]
    assert re.search(r"\| 1 +\| +7 \|", page["data"])
    assert "(not shown)" in page["data"]
    assert SECRET not in page["data"] + run["state"]["message"]

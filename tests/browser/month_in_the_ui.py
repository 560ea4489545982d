"""A month as ops and managers live it in Prefect's UI, from the form that starts it to the tier that it brings."""

import email
import os
from collections.abc import Iterator
from email.policy import default
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
from psycopg2 import sql
from sqlalchemy import text

from deployments import stack
from deployments.record import Stack
from loyalty.db import embedded, engine, verify
from tests.browser import shop
from tests.browser.hands import HANDS, Hands, Kind, Report, lent
from tests.laws import gate
from tests.recovery import lab

REVIEW = "review 2026-01 Gold 1"
LEFT_OUT = "M2 Bronze→Gold 2,700.00 USD"
HEALTH = Report(
    [
        "Programme health · January 2026",
        "Points, rolled forward",
        "The last twelve months",
        "Tier migration",
        "Members by tier",
        "Upgrades held for review",
        "Vouchers and gifts",
        "Messages",
    ],
    tables=9,
    charts=5,
    drawn=5,
)
ROI = Report(
    [
        "Programme ROI · January 2026",
        "Average spend: Gold against Silver",
        "The same members before and after their move",
        "What rewards cost",
    ],
    tables=3,
    charts=2,
    drawn=2,
)


@pytest.mark.parametrize("kind", HANDS, ids=lambda kind: f"by_a_{kind.__name__.lower()}")
def test_a_month_in_the_ui(up: Stack, kind: Kind) -> None:
    """Law: a month is started by the form, watched, read and decided in the UI, whatever dies meanwhile; the tier and
    the messages follow; and Prefect's database holds nobody's name, address, number or customer id.
    """
    with lent(kind, up) as hands:
        _a_month_is_closed(up, hands)
        _the_server_is_killed(up)
        _a_manager_decides(up, hands)
        _messages_are_sent(hands)
        _a_run_is_killed_and_goes_on(up, hands)

    assert all(check.holds for check in verify.verify())
    kept = "\n".join(_rows(embedded.url("prefect")))
    assert LEFT_OUT in kept  # so the form is there, and all else would be found
    assert [word for word in shop.PERSONAL if word in kept] == []
    assert [(file.name, word) for file in _logs() for word in shop.PERSONAL if word in file.read_text()] == []


def _a_month_is_closed(up: Stack, hands: Hands) -> None:
    """By the form; its approval waits, and its reports can be read, with every chart drawn."""
    hands.await_state(hands.begin("monthly_loyalty", {"Period": "2026-01", "Notify": True}), "Completed")

    assert _tiers() == {shop.ADA: "Bronze", shop.BEN: "Bronze", shop.CORA: "Silver", shop.DAN: "Bronze"}
    hands.await_state(_found(up, REVIEW)["id"], "Suspended")
    assert hands.read("loyalty-health-2026-01") == HEALTH
    assert hands.read("loyalty-roi-2026-01") == ROI


def _the_server_is_killed(up: Stack) -> None:
    """The approval waits in the database meanwhile."""
    assert up.server is not None
    lab.kill(up.server.process)
    assert stack.up(lambda _line: None).port == up.port


def _a_manager_decides(up: Stack, hands: Hands) -> None:
    """One of two is left out; the run says what came of it, and the page of the decision shows it."""
    run = _found(up, REVIEW)["id"]
    assert hands.read("approval-1") == Report([REVIEW], tables=1, charts=0, drawn=0)
    hands.decide(
        REVIEW, {"Decision": "approve", "Leave out": (LEFT_OUT,), "Note": "a single purchase", "Reviewer": "anna"}
    )
    hands.await_state(run, "Completed")

    assert _found(up, REVIEW)["state"]["message"] == "approved by anna: 1 approved, 1 rejected, 0 lapsed"
    assert _tiers() == {shop.ADA: "Gold", shop.BEN: "Bronze", shop.CORA: "Silver", shop.DAN: "Bronze"}


def _messages_are_sent(hands: Hands) -> None:
    """The tier's e-mail to whoever moved and may be written to; the points' SMS to all who may be texted."""
    hands.await_state(hands.begin("daily_notifications", {}), "Completed")

    outbox = Path(os.environ["LOYALTY_HOME"]) / "outbox"
    mails = [email.message_from_bytes(file.read_bytes(), policy=default) for file in outbox.glob("*/*.eml")]
    texts = [file.read_text().splitlines()[0] for file in outbox.glob("*/*-points_credited.txt")]
    assert sorted((str(mail["To"]), str(mail["Subject"])) for mail in mails) == [
        ("ada.zuckerkandl@example.com", "You are now Gold"),
        ("cora.xanthe@example.com", "You are now Silver"),
    ]
    assert sorted(texts) == ["To: +15555550101", "To: +15555550102", "To: +15555550103"]


def _a_run_is_killed_and_goes_on(up: Stack, hands: Hands) -> None:
    """SIGKILL in the middle of a step: the run is seen as crashed, begins again by itself, and is completed."""
    assert up.worker is not None
    with gate.shut("statements", "new.member_no = 4") as keeper:
        run = hands.begin("monthly_loyalty", {"Period": "2026-02"})
        lab.await_gate(keeper)
        for process in psutil.Process(up.worker.process.pid).children(recursive=True):
            lab.kill(process)
    engine.dispose()
    gate.removed()
    hands.await_state(run, "Completed")

    states = stack.ask(up, f"flow_run_states/?flow_run_id={run}", "GET")
    names = [each["name"] for each in sorted(states, key=lambda each: str(each["timestamp"]))]
    assert [name for name in names if name not in {"Pending", "Submitting"}] == [
        "Scheduled",
        "Running",
        "Crashed",
        "AwaitingRetry",
        "Running",
        "Completed",
    ]


def _found(up: Stack, name: str) -> Any:
    """The run of that name."""
    return stack.ask(up, "flow_runs/filter", flow_runs={"name": {"any_": [name]}})[0]


def _tiers() -> dict[str, str]:
    """The tier of each member by customer id."""
    statement = (
        "select m.customer_id, t.name from loyalty.members as m join loyalty.accounts as a using (member_no)"
        " join loyalty.tiers as t using (tier_no)"
    )
    with engine.connect() as connection:
        return {row.customer_id: row.name for row in connection.execute(text(statement))}


def _rows(url: str) -> Iterator[str]:
    """Every row of every table of a database, written out."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select tablename from pg_tables where schemaname = 'public'")
            for (name,) in cursor.fetchall():
                cursor.execute(sql.SQL("select t::text from {} as t").format(sql.Identifier(name)))
                yield from (row for (row,) in cursor)
    finally:
        connection.close()


def _logs() -> list[Path]:
    home = Path(os.environ["LOYALTY_HOME"])
    return [*home.glob("logs/*.log"), home / "postgres" / "log"]

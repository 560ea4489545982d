"""The flow that tries what could not be applied as it came, and gives back what checkouts held too long."""

import uuid
from datetime import timedelta

from sqlalchemy import URL, text

from loyalty import clock
from loyalty.db import grants, redemptions
from loyalty.db.engine import connect, transaction
from loyalty.db.grants import Grant
from tests.flows.conftest import Command, Prefect


def test_holds_past_their_time_out_are_given_back(shop: URL, prefect_server: Prefect, run_flow: Command) -> None:
    """Law: a run records as lapsed what nobody committed in time, and leaves other holds as they are."""
    held_at = clock.now() - timedelta(days=1)
    with transaction() as connection:
        member = connection.execute(text("select member_no from members where customer_id = 'C1'")).scalar_one()
        grants.give(connection, member, Grant("bonus", "welcome", 50), held_at)
        redemptions.hold(connection, "C1", 20, held_at)
        redemptions.hold(connection, "C1", 10, clock.now())
    note = uuid.uuid4().hex
    run_flow("drain_inbox", note)
    [run] = prefect_server.runs(note)

    assert run["state"]["type"] == "COMPLETED"
    with connect() as connection:
        states = connection.execute(text("select points, state from redemptions order by redemption_no")).all()
    assert [tuple(row) for row in states] == [(20, "lapsed"), (10, "held")]

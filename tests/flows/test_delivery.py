"""Who delivers a month's messages."""

import pytest
from sqlalchemy import URL, text

from loyalty.db.engine import transaction
from loyalty.messages.delivery import AFTER_A_CLOSE
from tests.flows.conftest import Command, Prefect

LEFT = "messages: many wait: `loyalty notify`, or the next daily_notifications, delivers them\n"


@pytest.fixture
def many_wait(shop: URL) -> int:
    """As many messages as a close delivers itself, so that those it queues are too many."""
    with transaction() as connection:
        connection.execute(
            text(
                "insert into loyalty.outbox (kind, occasion, member_no, channel, facts, queued_at)"
                " select 'points_expiring', n::text, 3, 'sms', '{}', timestamptz '2026-01-31 00:00+00'"
                " from generate_series(1, :most) as n"
            ),
            {"most": AFTER_A_CLOSE},
        )
    return AFTER_A_CLOSE


def _states() -> dict[str, int]:
    with transaction() as connection:
        rows = connection.execute(text("select state, count(*) as messages from loyalty.outbox group by state"))
        return {row.state: row.messages for row in rows}


def test_a_close_delivers_its_messages(through_prefect: Command) -> None:
    """Law: the messages that a close queues are delivered when it ends: one member has no consent, two are told."""
    done = through_prefect("close", "2026-01")

    assert done.returncode == 0, done.stderr
    assert _states() == {"sent": 3, "withheld": 1}


def test_a_close_does_not_wait_for_more_than_a_few_thousand(many_wait: int, directly: Command) -> None:
    """Law: without a server many messages are left, which is said; `loyalty notify` deals with all of them."""
    done = directly("close", "2026-01")
    queued = _states()
    notified = directly("notify")

    assert (done.returncode, done.stderr.endswith(LEFT), queued) == (0, True, {"queued": many_wait + 4})
    assert (notified.returncode, _states()) == (0, {"sent": 3, "withheld": many_wait + 1})


def test_a_run_of_their_own_delivers_many_messages(
    many_wait: int, through_prefect: Command, prefect_server: Prefect
) -> None:
    """Law: where daily_notifications is deployed, a close with many messages begins a run of it and ends."""
    prefect_server.deploy("daily_notifications")
    done = through_prefect("close", "2026-01")
    wanted = {"name": {"any_": ["notifications of 2026-01"]}}
    [run] = prefect_server.filtered("flow_runs", flow_runs=wanted)

    assert done.returncode == 0, done.stderr
    assert (run["state"]["type"], run["parameters"]) == ("SCHEDULED", {})
    assert _states() == {"queued": many_wait + 4}

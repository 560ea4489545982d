"""Receipts of points spent, and word of points that a refund took back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.db.engine import transaction
from loyalty.db.statements import run
from loyalty.messages.facts import read_facts
from tests.model import Transaction
from tests.till.conftest import Shop
from tests.till.till_product import TillProduct

NOON = datetime(2026, 5, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RECEIPTS: dict[str, Any] = {"receipts": True}


def with_points(till: TillProduct, points: int = 100) -> TillProduct:
    till.purchase(Transaction("T1", "C1", NOON, points * 1000), NOON)
    return till


def outbox() -> list[tuple[Any, ...]]:
    """What is queued or withheld: kind, occasion, state, facts, in order; each can be read as its kind's facts."""
    with transaction() as connection:
        rows = connection.exec_driver_sql(
            "select kind::text, occasion, state, facts from loyalty.outbox order by message_no"
        ).all()
    assert all(read_facts(row.kind, row.facts) for row in rows)
    return [tuple(row) for row in rows]


def test_a_receipt_comes_with_the_commit(shop: Shop) -> None:
    """Law (12): points spent, at once or after a hold, bring one receipt each, with what was left then."""
    till = with_points(shop(RECEIPTS))
    spent = till.redeem("C1", 40, NOON + MINUTE)
    held = till.redeem("C1", 10, NOON + MINUTE, hold=True)
    before = len(outbox())
    for _ in range(2):
        till.commit(held, NOON + 2 * MINUTE)

    assert before == 1
    assert outbox() == [
        (
            "redemption_receipt",
            number,
            "queued",
            {"points": points, "worth": points, "currency": "USD", "balance": balance, "at": at},
        )
        for number, points, balance, at in (
            (spent, 40, 60, "2026-05-15T12:01:00.000000Z"),
            (held, 10, 50, "2026-05-15T12:02:00.000000Z"),
        )
    ]


def test_a_receipt_of_what_was_undone_does_not_go_out(shop: Shop) -> None:
    """Law (12): a receipt that still waits is withheld once its redemption is undone; a hold that lapses has none."""
    till = with_points(shop(RECEIPTS))
    spent = till.redeem("C1", 40, NOON)
    till.redeem("C1", 10, NOON, hold=True)
    till.cancel(spent, NOON + MINUTE)
    till.sweep(NOON + timedelta(days=1))

    assert [(kind, state) for kind, _, state, _ in outbox()] == [("redemption_receipt", "withheld")]


@pytest.mark.parametrize(
    ("shortfall", "told"),
    [("owe", {"points": 100, "balance": -40, "owed": 40}), ("write_off", {"points": 60, "balance": 0, "owed": 0})],
)
def test_a_refund_tells_what_it_took(shop: Shop, shortfall: str, told: dict[str, int]) -> None:
    """Law (4, 12): the message tells the points really taken, what is left, and what is owed; once for a refund."""
    till = with_points(shop(RECEIPTS, shortfall=shortfall))
    till.redeem("C1", 40, NOON)
    back = Transaction("R1", "C1", NOON + MINUTE, 100_000, kind="refund", original="T1")
    for _ in range(2):
        till.refund(back, NOON + MINUTE)
    [_, (kind, _, state, facts)] = outbox()

    assert (kind, state, facts) == ("refund_taken_back", "queued", told)
    assert till.wrong() == {}


def test_no_receipts_unless_the_rules_say_so(shop: Shop) -> None:
    """Law (12): by default nothing is sent to who stands at the till."""
    till = with_points(shop())
    till.redeem("C1", 40, NOON)
    till.refund(Transaction("R1", "C1", NOON, 100_000, kind="refund", original="T1"), NOON)

    assert outbox() == []


def test_the_warehouse_hears_of_each_gift_once(shop: Shop) -> None:
    """Law (13): gifts that wait are told once each, in messages of bounded length; sent ones are not told."""
    till = with_points(shop())
    with transaction() as connection:
        for gift in ("Tote bag", "Mug", "Pen"):
            connection.exec_driver_sql(
                "select loyalty.redeem('C1', 10, 'gift', %(gift)s, false, %(at)s)", {"gift": gift, "at": NOON}
            )
        connection.exec_driver_sql("update loyalty.redeemed_gifts set state = 'cancelled' where gift = 'Pen'")
    told = []
    while True:
        with transaction() as connection:
            number = run(connection, "staff/tell_warehouse", most=1, recorded_at=NOON).scalar_one_or_none()
            if number is None:
                break
            told.append(number)
    with transaction() as connection:
        rows = connection.exec_driver_sql("select kind, facts from loyalty.staff_messages order by message_no").all()

    assert len(told) == 2
    assert [
        (kind, [(gift["gift"], gift["task"], gift["since"]) for gift in facts["gifts"]]) for kind, facts in rows
    ] == [
        ("gift_to_dispatch", [("Tote bag", "M1 redemption 1", "2026-05-15")]),
        ("gift_to_dispatch", [("Mug", "M1 redemption 2", "2026-05-15")]),
    ]
    assert till.wrong() == {}

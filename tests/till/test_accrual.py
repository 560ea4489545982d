"""Purchases and refunds at the till: the vectors of the semantics that speak of real time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from loyalty.db import accrual
from loyalty.db.accrual import Purchase, Refund
from loyalty.db.engine import transaction
from loyalty.errors import BadInput, OtherContent, Refused, Waits
from tests.laws.test_vectors import cents
from tests.model import Transaction
from tests.till.conftest import Shop
from tests.till.till_product import TillProduct

OCTOBER, NOVEMBER, DECEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11, 12))


def sold(shop: TillProduct, number: str, amount: str, at: datetime) -> int:
    return shop.purchase(Transaction(number, "C1", at, cents(amount)), at)


def refunded(shop: TillProduct, number: str, sale: str, amount: str, at: datetime) -> int:
    return shop.refund(Transaction(number, "C1", at, cents(amount), kind="refund", original=sale), at)


def earned(shop: TillProduct, month: str) -> list[str]:
    return [row["points_earned"] for row in shop.statements(month)]


def test_fractions_are_carried_and_never_counted_twice(shop: Shop) -> None:
    """Law (2): 3 x 3.35 posts 0, 0, 1 in real time; the close of the same three posts nothing more: 1, never 2."""
    till = shop()
    posted = [sold(till, f"T{number}", "3.35", OCTOBER + timedelta(days=number)) for number in range(3)]
    till.close("2026-10", now=NOVEMBER)

    assert posted == [0, 0, 1]
    assert earned(till, "2026-10") == ["1"]
    assert [(row["source"], row["points"]) for row in till.entries()] == [("till", 1)]
    assert till.wrong() == {}


def test_what_a_late_row_adds_is_evened_out_in_the_later_month(shop: Shop) -> None:
    """Law (2): October exact 9.99, 9 posted; 1 November +0.01 posts 1; late October +0.01: October 10, November 0."""
    till = shop()
    posted = [sold(till, "T1", "99.90", OCTOBER), sold(till, "T2", "0.10", NOVEMBER)]
    till.record([Transaction("T3", "C1", OCTOBER, 10)], NOVEMBER + timedelta(hours=1))
    till.close("2026-10", now=NOVEMBER + timedelta(hours=2))
    between = till.standing("C1", NOVEMBER + timedelta(hours=3))
    checked = till.wrong()
    till.close("2026-11", now=DECEMBER)

    assert posted == [9, 1]
    assert between == (10, 0, 0)
    assert checked == {}
    assert earned(till, "2026-10") == ["10"]
    assert earned(till, "2026-11") == ["0"]
    assert [
        (row["period"], row["source"], row["reference"], row["points"])
        for row in sorted(till.entries(), key=lambda row: (row["period"], row["source"], row["points"]))
    ] == [
        ("2026-10", "close", "2026-10", 1),
        ("2026-10", "till", "T1", 9),
        ("2026-11", "close", "2026-11", -1),
        ("2026-11", "till", "T2", 1),
    ]
    assert [(lot["origin"], lot["points"], lot["remaining"]) for lot in till.lots("C1")] == [
        ("2026-10", 9, 9),
        ("2026-11", 1, 0),
        ("2026-10", 1, 1),
    ]
    assert till.wrong() == {}


def test_partial_refunds_end_where_a_whole_one_does(shop: Shop) -> None:
    """Law (2, 4): 10.00 bought, then refunds of 1.00, 5.00 and 4.00, ends at 0; a second delivery changes nothing."""
    till = shop()
    sold(till, "T1", "10.00", OCTOBER)
    parts = [refunded(till, f"R{amount}", "T1", amount, OCTOBER + timedelta(hours=1)) for amount in ("1", "5", "4")]
    again = refunded(till, "R5", "T1", "5", OCTOBER + timedelta(hours=1))

    assert (sum(parts), again) == (-1, 0 if parts[1] == 0 else parts[1])
    assert till.standing("C1", OCTOBER + timedelta(hours=2)) == (0, 0, 0)
    assert till.wrong() == {}


@pytest.mark.parametrize(
    ("shortfall", "after"), [("owe", [(0, 0, 50), (30, 0, 0)]), ("write_off", [(0, 0, 0), (80, 0, 0)])]
)
def test_points_spent_before_their_refund(shop: Shop, shortfall: str, after: list[tuple[int, int, int]]) -> None:
    """Law (4): earn 50, spend 50, refund the sale: 50 owed, or written off; then earn 80: 30, or 80."""
    till = shop(shortfall=shortfall)
    sold(till, "T1", "500.00", OCTOBER)
    till.redeem("C1", 50, OCTOBER)
    refunded(till, "R1", "T1", "500.00", OCTOBER)
    first = till.standing("C1", OCTOBER)
    checked = till.wrong()
    sold(till, "T2", "800.00", OCTOBER)

    assert [first, till.standing("C1", OCTOBER)] == after
    assert checked == {}
    assert till.wrong() == {}


def test_the_sales_own_lot_is_taken_first_and_not_what_it_has_lost(shop: Shop) -> None:
    """Law (4): a refund takes the lot of its sale, also what that had expired, which an entry of its own offsets."""
    till = shop(expiry_months=1)
    sold(till, "T1", "100.00", OCTOBER)
    till.close("2026-10", now=NOVEMBER)
    sold(till, "T2", "200.00", NOVEMBER)
    taken = refunded(till, "R1", "T1", "40.00", DECEMBER)

    assert taken == -4
    assert till.standing("C1", DECEMBER) == (20, 0, 0)
    assert [(row["kind"], row["points"], row["reference"]) for row in till.entries()][:1] == [("earn", 10, "T1")]
    assert {(row["kind"], row["points"]) for row in till.entries() if row["period"] > "2026-10"} == {
        ("earn", 20),
        ("expire", -10),
        ("expiry_reversed", 4),
        ("take_back", -4),
    }
    assert till.wrong() == {}


def test_a_refund_waits_for_its_sale(shop: Shop) -> None:
    """Law (4): a refund that comes before its sale waits for it by name, and nothing is written."""
    shop()
    with pytest.raises(Waits) as waits, transaction() as connection:
        accrual.record_refund(connection, Refund("R1", "T1", Decimal(1)), OCTOBER)

    assert (str(waits.value), waits.value.waits_for) == ("the sale is not recorded yet", "T1")


def test_one_id_is_one_transaction_wherever_it_comes_from(shop: Shop) -> None:
    """Law (13): the same sale from a file is the one of the till; with other content neither takes it."""
    till = shop()
    sale = Transaction("T1", "C1", OCTOBER, 1000)
    posted = [till.purchase(sale, OCTOBER), till.purchase(sale, OCTOBER)]
    from_file = till.record([sale, Transaction("T2", "C1", OCTOBER, 500)], OCTOBER)
    with pytest.raises(OtherContent), transaction() as connection:
        accrual.record_purchase(connection, Purchase("T2", "C1", Decimal(6), OCTOBER), OCTOBER)

    assert posted == [1, 1]
    assert from_file == []
    assert till.standing("C1", OCTOBER) == (1, 0, 0)
    assert till.wrong() == {}


def test_points_of_a_file_are_the_closes(shop: Shop) -> None:
    """Law (2): what comes by file earns at the close, so its refund at the till before it posts nothing either."""
    till = shop()
    till.record([Transaction("T1", "C1", OCTOBER, 10_000)], OCTOBER)
    at_once = refunded(till, "R1", "T1", "40.00", OCTOBER)
    till.close("2026-10", now=NOVEMBER)
    later = refunded(till, "R2", "T1", "40.00", NOVEMBER)

    assert (at_once, later) == (0, -4)
    assert earned(till, "2026-10") == ["6"]
    assert till.standing("C1", NOVEMBER) == (2, 0, 0)
    assert till.wrong() == {}


def test_where_the_month_earns_monthly_a_sale_is_only_recorded(shop: Shop) -> None:
    """Law (2): with earning "monthly" a purchase posts nothing at once; its close posts it."""
    till = shop(earning="monthly")
    posted = sold(till, "T1", "100.00", OCTOBER)
    till.close("2026-10", now=NOVEMBER)

    assert posted == 0
    assert earned(till, "2026-10") == ["10"]
    assert till.wrong() == {}


def test_pending_points_are_shown_and_not_spendable(shop: Shop) -> None:
    """Law (5): with pending_days the points of a sale are available so many days after it."""
    till = shop(pending_days=3)
    sold(till, "T1", "100.00", OCTOBER)
    seen = [till.standing("C1", OCTOBER + timedelta(days=days)) for days in (0, 2, 3)]

    assert seen == [(0, 10, 0), (0, 10, 0), (10, 0, 0)]
    assert till.wrong() == {}


def test_what_is_told_wrong_is_refused_with_its_place(shop: Shop) -> None:
    """Law: nothing is written for a wrong amount, moment or currency, nor for more back than was paid."""
    till = shop()
    sold(till, "T1", "10.00", OCTOBER)
    wrong = {
        "/amount: must not be below 0": Purchase("T9", "C1", Decimal(-1)),
        "/amount: the pieces of it are more than it": Purchase("T9", "C1", Decimal(1), tax=Decimal(2)),
        "/amount: too large, or with more decimals than the currency has": Purchase("T9", "C1", Decimal("1.005")),
        "/currency: not a currency code that is known": Purchase("T9", "C1", Decimal(1), currency="XXX"),
        "/occurred_at: more than a day ahead": Purchase("T9", "C1", Decimal(1), NOVEMBER),
        "/occurred_at: before the programme starts": Purchase("T9", "C1", Decimal(1), datetime(1989, 1, 1, tzinfo=UTC)),
    }
    for told, purchase in wrong.items():
        with pytest.raises(BadInput) as refused, transaction() as connection:
            accrual.record_purchase(connection, purchase, OCTOBER)
        assert str(refused.value) == told
    with pytest.raises(Waits) as waits, transaction() as connection:
        accrual.record_purchase(connection, Purchase("T9", "C1", Decimal(1), currency="EUR"), OCTOBER)
    with pytest.raises(Refused) as too_much, transaction() as connection:
        accrual.record_refund(connection, Refund("R9", "T1", Decimal("10.01")), OCTOBER)

    assert str(waits.value) == "there is no exchange rate for the day of the sale"
    assert str(too_much.value) == "more would be refunded than was paid"
    assert till.standing("C1", OCTOBER) == (1, 0, 0)


def test_pending_points_count_for_the_tier_by_their_own_day(shop: Shop) -> None:
    """Law (5): a sale's points count at the first close after they can be spent, not when the whole month's can."""
    till = shop(pending_days=10)
    for number, day in (("T1", 4), ("T2", 20), ("T3", 25)):
        sold(till, number, "1000.00", OCTOBER + timedelta(days=day))
    refunded(till, "R2", "T2", "500.00", NOVEMBER - timedelta(days=1))
    till.close("2026-10", now=NOVEMBER)
    till.close("2026-11", now=DECEMBER)
    counted = [row["qualifying_points"] for month in ("2026-10", "2026-11") for row in till.statements(month)]

    assert counted == ["150", "250"]
    assert till.wrong() == {}

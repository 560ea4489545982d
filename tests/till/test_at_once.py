"""Many at once on one balance, one voucher, one month: exactly what is allowed succeeds, and the books are sound."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from loyalty.db import redemptions, vouchers
from loyalty.db.engine import transaction
from loyalty.errors import Refused
from tests.model import Transaction
from tests.till.conftest import Shop

JANUARY, CLOSED_AT = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
CLIENTS = 64


def at_once(work: Callable[[int], Any], times: int = CLIENTS) -> list[Any]:
    """What came of each; None where it was refused."""

    def tried(number: int) -> Any:
        try:
            return work(number)
        except Refused:
            return None

    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(tried, range(times)))


def test_a_balance_is_never_overdrawn(shop: Shop) -> None:
    """Law (10): of 64 who spend or hold 10 of 150 points at once, 15 can; each commit or cancel counts once."""
    till = shop()
    till.purchase(Transaction("T1", "C1", JANUARY, 150_000), JANUARY)

    def spend(number: int) -> str:
        with transaction() as connection:
            work = redemptions.hold if number % 2 else redemptions.redeem
            return work(connection, "C1", 10, JANUARY).redemption_id

    spent = [number for number in at_once(spend) if number]
    left = till.standing("C1", JANUARY)

    def give_back(number: int) -> str:
        with transaction() as connection:
            return redemptions.cancel(connection, spent[number % len(spent)], JANUARY).state

    states = at_once(give_back)

    assert (len(spent), left) == (15, (0, 0, 0))
    assert states == ["cancelled"] * CLIENTS
    assert till.standing("C1", JANUARY) == (150, 0, 0)
    assert till.wrong() == {}


def test_a_voucher_is_used_by_one(shop: Shop) -> None:
    """Law (9): of 64 who use one voucher at once, one does."""
    till = shop()
    till.purchase(Transaction("T1", "C1", JANUARY, 150_000), JANUARY)
    till.close("2026-01", now=CLOSED_AT)
    with transaction() as connection:
        code = connection.execute(text("select code from loyalty.vouchers")).scalar_one()

    def use(number: int) -> str:
        with transaction() as connection:
            work = vouchers.hold if number % 3 == 0 else vouchers.redeem
            return work(connection, code, CLOSED_AT, reference=f"order {number}").state

    assert len([state for state in at_once(use) if state]) == 1
    assert till.wrong() == {}


def test_tills_and_a_close_at_once_lose_nothing(shop: Shop) -> None:
    """Law (1, 2): purchases of two tills and refunds of theirs, in both months, while the first one closes."""
    till = shop()
    february = CLOSED_AT + timedelta(days=1)
    for number in range(8):
        till.purchase(Transaction(f"J{number}", f"C{number % 3}", JANUARY, 333), JANUARY)
    till.tell_time(february)

    def work(number: int) -> Any:
        if number == 6:
            return till.close("2026-01", now=february)
        at = JANUARY if number % 3 == 0 else february
        customer = f"C{number % 3}"
        till.purchase(Transaction(f"F{number}", customer, at, 333), february)
        till.purchase(Transaction(f"F{number}", customer, at, 333), february)
        refund = Transaction(f"R{number}", customer, february, 111, kind="refund", original=f"F{number}")
        return till.refund(refund, february)

    at_once(work, 40)
    checked = till.wrong()
    till.close("2026-02", now=CLOSED_AT + timedelta(days=30))
    earned = {
        row["customer_id"]: sum(
            int(stated["points_earned"])
            for month in ("2026-01", "2026-02")
            for stated in till.statements(month)
            if stated["customer_id"] == row["customer_id"]
        )
        for row in till.statements("2026-02")
    }
    due = dict.fromkeys(("C0", "C1", "C2"), 0)
    for number in range(8):
        due[f"C{number % 3}"] += 333
    for number in range(40):
        due[f"C{number % 3}"] += 222 if number != 6 else 0

    assert checked == {}
    assert earned == {customer: amount // 1000 for customer, amount in due.items()}
    assert till.wrong() == {}


def test_a_sale_told_by_many_at_once_is_one_sale(shop: Shop) -> None:
    """Law (13): the same purchase by 64 at once, of a customer nobody knew, is one member, one sale, one credit."""
    till = shop()
    answers = at_once(lambda _: till.purchase(Transaction("T1", "new", JANUARY, 5000), JANUARY))

    assert answers == [5] * CLIENTS
    assert till.standing("new", JANUARY) == (5, 0, 0)
    assert till.wrong() == {}

"""Two members who are one person: merged, and unmerged; what happens between is in test_lives.py."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.db import accrual, closing, identity, merges, redemptions
from loyalty.db.engine import connect, transaction
from loyalty.db.identity import PlatformId, find_member
from loyalty.errors import LoyaltyError, Refused, Unavailable
from tests.identity.conftest import JANUARY, put
from tests.model import Transaction
from tests.till.conftest import Shop
from tests.till.till_product import TillProduct

FEBRUARY, MARCH = datetime(2026, 2, 3, 12, tzinfo=UTC), datetime(2026, 3, 3, 12, tzinfo=UTC)


def merge(keep: str, lose: str, now: datetime) -> merges.Merged:
    """A merge in a transaction of its own."""
    with transaction() as connection:
        return merges.merge(connection, keep, lose, "ann", now)


def unmerge(lose: str, now: datetime) -> merges.Merged:
    """Undone in a transaction of its own."""
    with transaction() as connection:
        return merges.unmerge(connection, lose, "ann", now)


def lots(customer_id: str) -> list[tuple[int, datetime]]:
    """What is left in a member's lots, and until when."""
    query = (
        "select l.remaining, l.expires_at from loyalty.lots as l join loyalty.members as m using (member_no)"
        " where m.customer_id = :id and l.remaining > 0 order by l.expires_at, l.remaining"
    )
    with connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), {"id": customer_id})]


def sale(number: str, customer: str, at: datetime, amount: int) -> Transaction:
    """A sale of so many minor units."""
    return Transaction(number, customer, at, amount)


def two_lives(till: TillProduct) -> None:
    """C1 has exact 19.95 points of January and 5 of February, C2 exact 9.99 and 140 pending its close."""
    till.purchase(sale("A1", "C1", JANUARY, 19_950), JANUARY)
    till.purchase(sale("B1", "C2", JANUARY, 9_990), JANUARY)
    till.close("2026-01", now=FEBRUARY)
    till.purchase(sale("A2", "C1", FEBRUARY, 5_000), FEBRUARY)
    till.purchase(sale("B2", "C2", FEBRUARY, 140_000), FEBRUARY)


@pytest.mark.parametrize("earning", ["on_purchase", "monthly"])
def test_a_merge_adds_up_to_the_exact_sum(shop: Shop, earning: str) -> None:
    """Law (15): lots keep their dates; 19.95 and 9.99 are 29 points, one of which appears; closed statements stay."""
    till = shop(earning=earning)
    two_lives(till)
    before = {row["customer_id"]: row for row in till.statements("2026-01")}
    dates = [lot[1] for lot in lots("C1") + lots("C2")]

    done = merge("C1", "C2", FEBRUARY + timedelta(hours=1))

    assert (done.appeared, done.transactions, lots("C2")) == (1, 2, [])
    assert {expires for _, expires in lots("C1")} == set(dates) | {datetime(2027, 3, 1, tzinfo=UTC)}
    assert {row["customer_id"]: row for row in till.statements("2026-01")} == before
    till.purchase(sale("B3", "C2", FEBRUARY, 1_000), FEBRUARY + timedelta(hours=2))
    till.refund(Transaction("B2R", "C2", FEBRUARY, 40_000, kind="refund", original="B2"), FEBRUARY + timedelta(hours=3))
    till.close("2026-02", now=MARCH)
    kept, lost = till.statements("2026-02")
    assert (kept["closing_balance"], kept["qualifying_points"]) == ("135", "135")
    assert (lost["closing_balance"], lost["transactions"]) == ("0", "0")
    assert till.standing("C1", MARCH) == (135, 0, 0)
    assert till.wrong() == {}


def test_an_unmerge_gives_back_what_is_left(shop: Shop) -> None:
    """Law (15): the rest of the moved lots and the lost member's sales, with refunds since, go back."""
    till = shop()
    two_lives(till)
    merge("C1", "C2", FEBRUARY + timedelta(hours=1))
    till.refund(Transaction("B2R", "C2", FEBRUARY, 40_000, kind="refund", original="B2"), FEBRUARY + timedelta(hours=2))
    till.close("2026-02", now=MARCH)

    done = unmerge("C2", MARCH + timedelta(hours=1))

    assert (done.transactions, till.wrong()) == (3, {})
    assert sum(till.standing(name, MARCH)[0] for name in ("C1", "C2")) in {133, 134}
    till.purchase(sale("B4", "C2", MARCH, 1_000), MARCH + timedelta(hours=2))
    till.close("2026-03", now=datetime(2026, 4, 3, tzinfo=UTC))
    rows = {row["customer_id"]: row for row in till.statements("2026-03")}
    assert (rows["C1"]["qualifying_points"], rows["C2"]["qualifying_points"]) == ("24", "110")
    assert till.wrong() == {}
    with pytest.raises(LoyaltyError, match="no merge"):
        unmerge("C2", MARCH + timedelta(hours=3))


def test_what_is_owed_goes_over_too(shop: Shop) -> None:
    """Law (4, 15): a debt is paid by the kept member's points: owed and unspent points never stand together."""
    till = shop()
    till.purchase(sale("A1", "C1", JANUARY, 50_000), JANUARY)
    till.purchase(sale("B1", "C2", JANUARY, 30_000), JANUARY)
    till.redeem("C2", 30, JANUARY)
    till.refund(Transaction("B1R", "C2", JANUARY, 30_000, kind="refund", original="B1"), JANUARY)

    assert merge("C1", "C2", JANUARY).points == -30
    assert (till.standing("C1", JANUARY), till.standing("C2", JANUARY)) == ((20, 0, 0), (0, 0, 0))
    assert till.wrong() == {}


def test_points_that_come_back_reach_the_kept_member(shop: Shop) -> None:
    """Law (10, 15): a redemption of the lost member is undone to the kept one, at once or by the daily job."""
    till = shop()
    till.purchase(sale("A1", "C1", JANUARY, 10_000), JANUARY)
    till.purchase(sale("B1", "C2", JANUARY, 50_000), JANUARY)
    spent = till.redeem("C2", 20, JANUARY)
    till.redeem("C2", 30, JANUARY, hold=True)
    merge("C1", "C2", JANUARY)
    till.cancel(spent, JANUARY)
    assert till.standing("C1", JANUARY) == (30, 0, 0)
    till.expire(JANUARY + timedelta(days=1))
    assert till.standing("C1", JANUARY + timedelta(days=1)) == (60, 0, 0)
    assert till.redeem("C2", 60, JANUARY + timedelta(days=1)) != ""
    assert till.wrong() == {}


def test_people_are_joined_by_the_stricter_consent(shop: Shop) -> None:
    """Law (15): empty fields are filled, identifiers lead to the kept member, and all of it comes back."""
    shop()
    kept = put("C1", email="a@example.com", email_consent=True, sms_consent=True)
    lost = put("C2", email="b@example.com", phone="+442079460001", email_consent=False, sms_consent=True)
    with transaction() as connection:
        identity.know_by(connection, lost, PlatformId("shop", "7"))

    def state() -> tuple[Any, ...]:
        with transaction() as connection:
            found = [
                find_member(connection, **by)
                for by in (
                    {"customer_id": "C2"},
                    {"email": "b@example.com"},
                    {"phone": "+442079460001"},
                    {"platform_id": PlatformId("shop", "7")},
                )
            ]
            row = connection.execute(
                text("select email, phone, email_consent, sms_consent from members where member_no = :no"), {"no": kept}
            ).one()
        return found, tuple(row)

    merge("C1", "C2", JANUARY)
    assert state() == ([kept] * 4, ("a@example.com", "+442079460001", False, True))
    with pytest.raises(Refused, match="merged already"):
        merge("C1", "C2", JANUARY)
    with pytest.raises(Refused, match="into itself"):
        merge("C1", "C1", JANUARY)
    unmerge("C2", JANUARY + timedelta(hours=1))
    assert state() == ([lost] * 4, ("a@example.com", None, False, True))


def test_the_higher_tier_is_kept_and_brings_no_second_reward(shop: Shop) -> None:
    """Law (15): the kept member takes the lost one's tier; what that brought is not brought again."""
    till = shop()
    till.purchase(sale("B1", "C2", JANUARY, 130_000), JANUARY)
    till.purchase(sale("A1", "C1", JANUARY, 10_000), JANUARY)
    till.close("2026-01", now=FEBRUARY)
    merge("C1", "C2", FEBRUARY)
    assert [tier for tier, _ in till.tier_history("C1")] == ["Silver"]
    till.close("2026-02", now=MARCH)
    assert (len(till.vouchers()), till.wrong()) == (1, {})
    assert [row["tier_after"] for row in till.statements("2026-02")] == ["Silver", "Silver"]


def test_a_merge_is_refused_while_a_month_closes(shop: Shop) -> None:
    """Law: a close reads states that a merge would change under it."""
    till = shop()
    two_lives(till)
    with closing.closing_lock(), pytest.raises(Refused, match="being closed"):
        merge("C1", "C2", FEBRUARY)
    with transaction() as connection:
        connection.execute(text("update loyalty.periods set state = 'closing' where period = '2026-02-01'"))
    with pytest.raises(Refused, match="2026-02 was broken off"):
        merge("C1", "C2", FEBRUARY)


def test_merges_are_undone_in_turn(shop: Shop) -> None:
    """Law: who was merged into one who was merged is the last one's, until that is undone."""
    till = shop()
    for number in (1, 2, 3):
        till.purchase(sale(f"T{number}", f"C{number}", JANUARY, number * 9_990), JANUARY)
    merge("C2", "C1", JANUARY)
    merge("C3", "C2", JANUARY + timedelta(hours=1))
    till.purchase(sale("T4", "C1", JANUARY, 9_990), JANUARY + timedelta(hours=2))
    with pytest.raises(Refused, match="undo that one first"):
        unmerge("C1", JANUARY + timedelta(hours=3))
    till.close("2026-01", now=FEBRUARY)
    unmerge("C2", FEBRUARY + timedelta(hours=1))
    assert till.wrong() == {}
    unmerge("C1", FEBRUARY + timedelta(hours=2))
    till.close("2026-02", now=MARCH)
    assert till.wrong() == {}


def test_purchases_of_both_while_they_merge(shop: Shop) -> None:
    """Law: tills sell to both, and redeem, while they merge: nothing is lost, nobody waits in a ring."""
    till = shop()
    for name in ("C1", "C2"):
        till.purchase(sale(f"{name}-0", name, JANUARY, 100_000), JANUARY)

    def patiently(work: Any) -> Any:
        for _ in range(50):
            with suppress(Unavailable), transaction() as connection:
                return work(connection)
        raise AssertionError("never done")

    def sell(number: int) -> int:
        told = accrual.Purchase(f"T{number}", f"C{number % 2 + 1}", 33, JANUARY)  # type: ignore[arg-type]
        return int(patiently(lambda c: accrual.record_purchase(c, told, JANUARY).points_posted))

    def work(number: int) -> Any:
        if number == 20:
            return patiently(lambda c: merges.merge(c, "C2", "C1", "ann", JANUARY))
        if number % 5 == 3:
            return patiently(lambda c: redemptions.redeem(c, f"C{number % 2 + 1}", 1, JANUARY))
        return sell(number)

    with ThreadPoolExecutor(8) as tills:
        list(tills.map(work, range(40)))

    sold = sum(1 for number in range(40) if number != 20 and number % 5 != 3)
    assert till.standing("C2", JANUARY) == (200 + sold * 33 // 10 - 8, 0, 0)
    assert till.wrong() == {}
    till.close("2026-01", now=FEBRUARY)
    assert till.wrong() == {}

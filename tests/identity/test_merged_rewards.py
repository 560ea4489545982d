"""Two members who are one person, and what a tier brought either of them: it isn't brought again by a merge."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from loyalty.db.engine import connect
from tests.identity.test_merges import JANUARY, MARCH, merge, sale, unmerge
from tests.till.conftest import Shop
from tests.till.till_product import TillProduct

APRIL = datetime(2026, 4, 3, 12, tzinfo=UTC)
SILVER = 130_000


@pytest.fixture
def fallen(shop: Shop) -> TillProduct:
    """C2 was Silver by January's purchases, with its voucher, and is Bronze again; C1 and C3 have bought little."""
    till = shop(qualify="period", hold_months=0)
    for number, amount in ((1, 100), (2, SILVER), (3, 100)):
        till.purchase(sale(f"J{number}", f"C{number}", JANUARY, amount), JANUARY)
    till.close("2026-01", now=datetime(2026, 2, 3, 12, tzinfo=UTC))
    till.close("2026-02", now=MARCH)
    assert vouchers() == [("C2", "2026-01")]
    return till


def vouchers() -> list[tuple[str, str]]:
    """Whose vouchers there are, and the month that brought each."""
    query = (
        "select m.customer_id, to_char(v.period, 'YYYY-MM') from loyalty.members as m join ("
        "select member_no, issued_at, period from loyalty.vouchers"
        " union all select member_no, issued_at, period from loyalty.voucher_archive"
        ") as v using (member_no) order by v.issued_at, m.customer_id"
    )
    with connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def tiers() -> list[int]:
    """The tiers that members are in, by number."""
    with connect() as connection:
        query = text("select tier_no from loyalty.accounts order by member_no")
        return list(connection.execute(query).scalars())


def chain() -> None:
    """C2 is merged into C3, and that one into C1."""
    merge("C3", "C2", MARCH)
    merge("C1", "C3", MARCH + timedelta(hours=1))


def broken_chain() -> None:
    """The same, and the later merge undone."""
    chain()
    unmerge("C3", MARCH + timedelta(hours=2))


def undone() -> None:
    """C2 is merged into C1, and parted again."""
    merge("C1", "C2", MARCH)
    unmerge("C2", MARCH + timedelta(hours=1))


@pytest.mark.parametrize(
    ("happens", "rewarded"),
    [(lambda: merge("C1", "C2", MARCH), ["C3"]), (chain, []), (broken_chain, ["C1"]), (undone, ["C1", "C3"])],
)
def test_a_tier_brings_one_person_its_reward_once(
    fallen: TillProduct, happens: Callable[[], None], rewarded: list[str]
) -> None:
    """Law (15): what the lost one's tier brought lately the kept one's doesn't, through chains; undone, as before."""
    happens()
    later = MARCH + timedelta(days=1)
    for number in (1, 3):
        fallen.purchase(sale(f"M{number}", f"C{number}", later, SILVER), later)
    fallen.close("2026-03", now=APRIL)

    assert vouchers() == [("C2", "2026-01"), *((customer, "2026-03") for customer in rewarded)]
    assert fallen.wrong() == {}


def test_what_was_not_brought_stays_so_when_parted(fallen: TillProduct) -> None:
    """Law (14, 15): a merge undone after an upgrade without a reward leaves the books sound, and the memory ends."""
    merge("C1", "C2", MARCH)
    fallen.purchase(sale("M1", "C1", MARCH, SILVER), MARCH)
    fallen.close("2026-03", now=APRIL)
    assert tiers()[0] == 2
    unmerge("C2", APRIL)
    assert vouchers() == [("C2", "2026-01")]
    assert fallen.wrong() == {}

    may, june = (datetime(2026, month, 3, 12, tzinfo=UTC) for month in (5, 6))
    fallen.close("2026-04", now=may)
    fallen.purchase(sale("A1", "C1", may, SILVER), may)
    fallen.close("2026-05", now=june)
    assert vouchers() == [("C2", "2026-01"), ("C1", "2026-05")]
    assert fallen.wrong() == {}

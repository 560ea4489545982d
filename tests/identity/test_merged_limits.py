"""Two members who are one person have one allowance: what either did counts for the kept one, and goes apart again."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from loyalty.db import accrual, redemptions, velocity
from loyalty.db.engine import transaction
from loyalty.db.identity import find_member
from loyalty.db.statements import run
from loyalty.db.velocity import Deed
from loyalty.errors import Held, Refused, TooFewPoints
from loyalty.rules.programme import Velocity
from tests.identity.conftest import JANUARY, put
from tests.identity.test_merges import FEBRUARY, merge, sale, unmerge
from tests.laws.conftest import Databases
from tests.laws.scenarios import HISTORIES
from tests.model import DEFAULT
from tests.till.conftest import Shop
from tests.till.till_product import TillProduct, install_keys

MOST = 3
LIMITS = (
    Velocity(kind="earn", most=MOST),
    Velocity(kind="redeem", window="hour", most=MOST),
    Velocity(kind="redeem", window="month", of="points", most=10),
    Velocity(kind="refund_after_redemption", hours=2),
)
DEEDS = st.tuples(st.sampled_from(["buy", "buy", "redeem"]), st.integers(1, 3), st.none())
PEOPLE = st.tuples(st.sampled_from(["merge", "unmerge"]), st.integers(1, 3), st.integers(1, 3))


@dataclass
class Customers:
    """Three customers with points, who do things within one hour; each thing a transaction of its own."""

    done: Counter[str] = field(default_factory=Counter)

    def buy(self, customer: str) -> None:
        """A purchase that is counted."""
        number = f"{customer}-{self.done.total()}"
        self._counted("earn", lambda c: accrual.record_purchase(c, _purchase(number, customer), JANUARY).member_no)

    def redeem(self, customer: str) -> None:
        """A point spent, which is counted."""
        self._counted("redeem", lambda c: redemptions.redeem(c, customer, 1, JANUARY).member_no)

    def merge(self, keep: str, lose: str) -> None:
        """Two merged."""
        merge(keep, lose, JANUARY)

    def unmerge(self, lose: str, _: str) -> None:
        """A merge undone."""
        unmerge(lose, JANUARY)

    def _counted(self, kind: Any, work: Any) -> None:
        with transaction() as connection:
            velocity.count(connection, Deed(kind, work(connection), 1, JANUARY))
        self.done[kind] += 1


def _purchase(number: str, customer: str) -> accrual.Purchase:
    return accrual.Purchase(number, customer, Decimal(1), JANUARY)


def counts(which: str = "true") -> list[tuple[Any, ...]]:
    """What is counted of members, by kind, span and customer."""
    query = (
        "select c.kind, c.span, m.customer_id, c.points::int, c.events::int from loyalty.velocity_counts as c"
        f" join loyalty.members as m on c.subject = m.member_no::text where c.events > 0 and {which} order by 1, 2, 3"
    )
    with transaction() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def opened(till: TillProduct) -> Customers:
    """Customers who have points by a file, which isn't counted."""
    install_keys(DEFAULT, {"earning": "on_purchase", "velocity": LIMITS})
    for number in (1, 2, 3):
        till.purchase(sale(f"S{number}", f"C{number}", JANUARY, 50_000), JANUARY)
    return Customers()


@settings(max_examples=HISTORIES * 2 // 5)
@given(steps=st.lists(DEEDS | PEOPLE, min_size=8, max_size=25))
def test_no_deed_is_forgotten_or_counted_twice(databases: Databases, tmp_path_factory: Any, steps: list[Any]) -> None:
    """Law: through merges and their undoing the counts of those who stand for themselves sum to what was done, and
    in all no more is done than three who were never merged may do.
    """  # fmt: skip
    with databases() as patch:
        customers = opened(TillProduct(patch, tmp_path_factory.mktemp("limits")))
        for what, one, other in steps:
            names = [f"C{number}" for number in (one, other) if number]
            with suppress(Held, Refused, TooFewPoints):
                getattr(customers, what)(*names)
            found: Counter[tuple[str, str]] = Counter()
            for kind, span, _, points, events in counts("m.merged_into is null"):
                assert points == events
                found[kind, span] += events
            days, hours = found["earn", "day"], found["redeem", "hour"]
            assert (days, hours, found["redeem", "month"]) == (*(customers.done[k] for k in ("earn", "redeem")), hours)
            assert max(days, hours) <= 3 * MOST


def test_a_merge_is_no_fresh_allowance_and_goes_apart_exactly(shop: Shop) -> None:
    """Law: the kept member has what is left of one allowance; undone, each has its own, the kept one all since."""
    customers = opened(shop())
    customers.buy("C1")
    customers.buy("C2")
    customers.redeem("C2")
    before = counts()
    merge("C1", "C2", JANUARY)
    customers.buy("C2")
    with pytest.raises(Held, match="more than 3 purchases of one member in one day"):
        customers.buy("C1")
    with pytest.raises(Held):
        customers.buy("C2")
    assert counts("m.merged_into is null") == [
        ("earn", "day", "C1", 3, 3),
        ("redeem", "hour", "C1", 1, 1),
        ("redeem", "month", "C1", 1, 1),
    ]

    unmerge("C2", JANUARY)

    assert counts() == [("earn", "day", "C1", 2, 2), *before[1:]]
    assert before[1] == ("earn", "day", "C2", 1, 1)


def test_other_limits_know_one_person_too(shop: Shop) -> None:
    """Law: points redeemed in a day, offers of a week, and a refund soon after a redemption count those of both."""
    till = shop()
    customers = opened(till)
    install_keys(DEFAULT, {"earning": "on_purchase", "velocity": LIMITS, "redemption_day_max": 8})
    kept, lost = put("C1"), put("C2")
    till.redeem("C2", 5, JANUARY)
    merge("C1", "C2", JANUARY)

    with pytest.raises(Refused, match="3 more points"), transaction() as connection:
        redemptions.redeem(connection, "C1", 4, JANUARY)
    customers.redeem("C1")
    with transaction() as connection:
        for member in (kept, lost):
            told = {"member_no": member, "kind": "personal_offer", "occasion": f"offer {member}", "at": JANUARY}
            connection.execute(text(SENT), told)
        [offers] = run(connection, "outbox/count_offers", members=[kept], since=JANUARY - timedelta(days=7))
        assert tuple(offers) == (kept, 2)
    soon, later = JANUARY + timedelta(hours=1), JANUARY + timedelta(hours=3)
    for name in ("C1", "C2"):
        assert held(name, soon)
        assert not held(name, later)
    till.redeem("C1", 1, soon)
    unmerge("C2", soon + timedelta(minutes=30))
    assert held("C2", soon + timedelta(hours=1))
    assert not held("C2", FEBRUARY)


SENT = (
    "insert into loyalty.outbox (member_no, kind, occasion, channel, queued_at, state, finished_at)"
    " values (:member_no, :kind, :occasion, 'email', :at, 'sent', :at)"
)


def held(customer: str, at: Any) -> bool:
    """Whether a refund of a customer's sale would be held."""
    with transaction() as connection:
        member = find_member(connection, customer_id=customer)
        assert member is not None
        try:
            velocity.after_redemption(connection, member, at)
        except Held:
            return True
        return False

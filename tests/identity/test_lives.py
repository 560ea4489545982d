"""Random lives: whatever happens to people, merged, parted and erased, the books stay sound."""

import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from loyalty.db import approvals, campaign_awards, campaigns, erasure, milestones, referrals, triggers
from loyalty.db.engine import transaction
from loyalty.errors import Refused
from loyalty.rules.campaign import Campaign
from tests import model
from tests.identity.conftest import JANUARY
from tests.identity.test_merges import merge, sale, unmerge
from tests.laws.conftest import Databases
from tests.laws.scenarios import HISTORIES
from tests.model import DEFAULT, Transaction
from tests.till.till_product import TillProduct, install_keys
from tests.till_model import Waits

BOOKS = ["buy"] * 6 + ["refund"] * 3 + ["redeem"] * 4 + ["cancel", "cancel", "late", "daily", "close", "close"]
PEOPLE = ["merge"] * 3 + ["unmerge"] * 3 + ["erase"]
REASONS = ["newcomer"] * 3 + ["refer", "share", "campaign", "campaign", "award", "award", "stop", "correct", "correct"]
GIVES: tuple[dict[str, Any], ...] = (
    {"gives": "points", "points": 7, "member_cap": 20},
    {"gives": "multiplier", "multiplier": 3},
    {"gives": "voucher", "voucher": 2},
)
AMOUNTS = [333, 9_990, 19_950, 130_005]
ROUNDS = 30


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=HISTORIES * 3 // 20
)
@given(seed=st.integers(0, 2**32))
def test_books_are_sound_through_any_life(databases: Databases, tmp_path_factory: Any, seed: int) -> None:
    """Law (14, 15): merges, unmerges and erasures among purchases, refunds, redemptions, files and closes keep every
    check, and no point is lost or made but where an entry says so.
    """  # fmt: skip
    chance = random.Random(seed)
    with databases(astride=True) as patch:
        till = TillProduct(patch, tmp_path_factory.mktemp("life"), rules=drawn(chance))
        Life(till, chance).live(BOOKS + PEOPLE)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=HISTORIES * 3 // 10
)
@given(seed=st.integers(0, 2**32))
def test_all_reasons_to_earn_are_sound_through_any_life(databases: Databases, tmp_path_factory: Any, seed: int) -> None:
    """Law (13, 14, 15): so they are where there are campaigns, referrals, shares, visits and corrections as well;
    and nobody's visits are lost or counted twice.
    """  # fmt: skip
    chance = random.Random(seed)
    rules = drawn(chance)
    with databases(astride=True) as patch:
        till = TillProduct(patch, tmp_path_factory.mktemp("life"), rules=rules)
        keys = {"referral_points": 30, "referred_points": 10, "referral_year_max": 2, "share_points": 3}
        install_keys(rules, keys | {"visit_points": 7, "visits_each": 2, "registration_points": 4})
        Life(till, chance).live(BOOKS + PEOPLE + REASONS)


def drawn(chance: random.Random) -> model.Rules:
    """Rules under which a life is lived."""
    return model.Rules(
        **{
            **{name: getattr(DEFAULT, name) for name in DEFAULT.__dataclass_fields__},
            "earning": chance.choice(["on_purchase", "on_purchase", "monthly"]),
            "shortfall": chance.choice(["owe", "write_off"]),
            "expiry_months": chance.choice([1, 2, 12]),
            "pending_days": chance.choice([0, 0, 10]),
        }
    )


@dataclass
class Life:
    """What happens to some customers, one thing after the other; each method is a kind of it, refused or not."""

    till: TillProduct
    chance: random.Random
    now: datetime = JANUARY
    month: int = 1
    people: int = 5
    campaigns: int = 0
    sales: list[Transaction] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    spent: list[str] = field(default_factory=list)

    def who(self) -> str:
        """Any customer."""
        return f"C{self.chance.randint(1, self.people)}"

    def sold(self, at: datetime, customer: str | None = None) -> Transaction:
        """A sale that is new."""
        told = sale(f"T{len(self.sales)}", customer or self.who(), at, self.chance.choice(AMOUNTS))
        self.sales.append(told)
        return told

    def buy(self) -> None:
        """A purchase at the till."""
        self.till.purchase(self.sold(self.now), self.now)

    def late(self) -> None:
        """A sale in a file that comes late."""
        at = max(self.now - timedelta(days=self.chance.choice([1, 40])), datetime(2026, 1, 2, tzinfo=UTC))
        self.till.record([self.sold(at)], self.now)

    def correct(self) -> None:
        """A sale that was another amount."""
        if self.sales:
            was = self.chance.choice(self.sales)
            told = sale(was.transaction_id, was.customer_id, was.occurred_at, self.chance.choice([100, 50_000]))
            self.till.record([told], self.now, correct=True)

    def refund(self) -> None:
        """A part, or all, of a sale given back."""
        if self.sales:
            of = self.chance.choice(self.sales)
            part, number = self.chance.choice([of.amount, of.amount // 3]), self.chance.randrange(10**9)
            back = Transaction(f"R{number}", of.customer_id, self.now, part, "refund", of.transaction_id)
            self.till.refund(back, self.now)

    def redeem(self) -> None:
        """Points spent or held."""
        points, hold = self.chance.choice([1, 5, 40]), self.chance.random() < 1 / 3
        self.spent.append(self.till.redeem(self.who(), points, self.now, hold=hold))

    def cancel(self) -> None:
        """A redemption undone."""
        if self.spent:
            self.till.cancel(self.chance.choice(self.spent), self.now)

    def daily(self) -> None:
        """Some days, and the daily jobs."""
        self.now += timedelta(days=self.chance.choice([1, 9]))
        self.till.expire(self.now)
        milestones.run_day(self.now, self.now)

    def close(self) -> None:
        """The next month closed."""
        self.now = max(self.now, datetime(2026, self.month + 1, 1, 12, tzinfo=UTC))
        self.till.close(f"2026-{self.month:02}", now=self.now)
        self.month += 1
        assert self.till.wrong() == {}

    def merge(self) -> None:
        """Two merged."""
        keep, lose = self.who(), self.who()
        merge(keep, lose, self.now)
        self.lost.append(lose)
        assert self.till.wrong() == {}

    def unmerge(self) -> None:
        """A merge undone, mostly the last one."""
        unmerge(self.lost.pop() if self.lost else self.who(), self.now)
        assert self.till.wrong() == {}

    def erase(self) -> None:
        """Somebody erased."""
        with transaction() as connection:
            erasure.erase(connection, self.who(), "ann", self.now)
        assert self.till.wrong() == {}

    def newcomer(self) -> None:
        """Somebody registers, brought by another."""
        self.people += 1
        with transaction() as connection:
            triggers.put_member(connection, f"C{self.people}", {}, self.now)
        self.refer(f"C{self.people}")

    def refer(self, referred: str | None = None) -> None:
        """Somebody says who brought a customer."""
        with transaction() as connection:
            referrals.refer(connection, self.who(), referred or self.who(), self.now)

    def share(self) -> None:
        """Somebody shares."""
        with transaction() as connection:
            triggers.share(connection, self.who(), "x", self.now)

    def campaign(self) -> None:
        """A campaign asked for, and let begin."""
        self.campaigns += 1
        today = self.now.date()
        keys = {"name": f"n{self.campaigns}", "starts_on": today, "ends_on": today + timedelta(days=25)}
        what = self.chance.choice(GIVES) | {"holdout": Decimal("0.2"), "budget": self.chance.choice([10, 100_000])}
        self.till.tell_time(self.now)
        asked = campaigns.ask(Campaign.model_validate(keys | what), {}, asked_by="ana", note="", at=self.now)
        assert asked.approval_no is not None
        approvals.decide(asked.approval_no, approve=True, by="ben")

    def award(self) -> None:
        """What campaigns have to do by now."""
        campaign_awards.run(self.now)
        assert self.till.wrong() == {}

    def stop(self) -> None:
        """A campaign ended at once."""
        campaigns.stop(f"n{self.chance.randint(1, 3)}", by="ana", at=self.now)

    def live(self, kinds: list[str]) -> None:
        """All of it among people who have bought before, then two months more."""
        for number in range(1, self.people + 1):
            self.till.purchase(self.sold(self.now, f"C{number}"), self.now)
        for _ in range(ROUNDS):
            self.now += timedelta(minutes=1)
            with suppress(model.Refused, Refused, Waits):
                getattr(self, self.chance.choice(kinds))()
        self.daily()
        self.close()
        self.close()
        self.daily()
        assert self.till.wrong() == {}
        assert visits_kept() == visits_counted()


def visits_kept() -> dict[int, int]:
    """The visits of closed months as they are kept, by member."""
    return dict(rows("select t.member_no, t.visits from loyalty.visit_totals as t"))


def visits_counted() -> dict[int, int]:
    """The same, counted: days on which somebody who is not erased bought, by the month they are booked to."""
    sold = rows(
        "select distinct t.member_no, t.booked_period, (t.occurred_at at time zone 'UTC')::date"
        " from loyalty.transactions as t join loyalty.members as m using (member_no)"
        " where t.kind = 'sale' and m.erased_at is null"
        " and t.booked_period <= (select max(k.through) from loyalty.visit_marks as k)"
        " and t.transaction_no not in (select c.replacement_no from loyalty.corrections as c)"
    )
    return dict(Counter(member_no for member_no, _, _ in sold))


def rows(statement: str) -> list[Any]:
    """What a query finds, as tuples."""
    with transaction() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]

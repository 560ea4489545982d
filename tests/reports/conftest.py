"""A programme with statements made by hand, on a real database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection, text

from loyalty.db.rules_versions import install_first
from loyalty.rules.periods import following
from loyalty.rules.programme import Programme

AT = datetime(2018, 1, 2, 10, tzinfo=UTC)
DECEMBER = date(2017, 12, 1)
TIERS = {"Bronze": 1, "Silver": 2, "Gold": 3, "Platinum": 4}
_codes = count()


@dataclass(frozen=True)
class Books:
    """What a test writes into the programme; all in the transaction of one connection, in UTC."""

    connection: Connection

    def execute(self, statement: str, **params: Any) -> Any:
        """Run a statement."""
        return self.connection.execute(text(statement), params)

    def members(self, held: Mapping[str, int]) -> None:
        """Enrol so many members of each tier."""
        for tier, number in held.items():
            self.execute(
                "with enrolled as (insert into loyalty.members (customer_id, enrolled_at)"
                " select :tier || n, :at from generate_series(1, :number) as n returning member_no)"
                " insert into loyalty.accounts (member_no, tier_no) select member_no, :tier_no from enrolled",
                tier=tier,
                tier_no=TIERS[tier],
                number=number,
                at=AT,
            )

    def month(self, period: date) -> None:
        """A closed period, by the rules in force."""
        self.execute("select loyalty.ensure_period(:period), loyalty.ensure_statements(:period)", period=period)
        self.execute("update loyalty.periods set state = 'closed' where period = :period", period=period)
        self.execute(
            "insert into loyalty.closes (period, rules_version, reviews, notify, started_at)"
            " select :period, max(version), 'hold', true, :at from loyalty.rules_versions on conflict do nothing",
            period=period,
            at=AT,
        )

    def statement(
        self,
        member_no: int,
        period: date = DECEMBER,
        *,
        held: str = "Bronze",
        before: str | None = None,
        after: str | None = None,
        **figures: int,
    ) -> None:
        """A member's month; the tiers before and after are the one held unless told."""
        row = (
            dict.fromkeys(("opening", "transactions", "spend", "earned", "redeemed", "expired", "adjusted"), 0)
            | figures
        )
        self.execute(
            "insert into loyalty.statements (period, member_no, opening_balance, transactions, spend, points_earned,"
            " points_redeemed, points_expired, points_adjusted, closing_balance, qualifying_points, tier_before,"
            "tier_held, tier_after, tier_at_risk, exact_sum, exact_before_window, exact_unnamed,"
            " exact_window) values (:period,"
            " :member_no, :opening, :transactions, :spend, :earned, :redeemed, :expired, :adjusted,"
            " :opening + :earned - :redeemed - :expired + :adjusted, 0, :before, :held, :after, false, 0, 0, 0, '{}')",
            period=period,
            member_no=member_no,
            before=TIERS[before or held],
            held=TIERS[held],
            after=TIERS[after or held],
            **row,
        )

    def move(self, member_no: int, period: date, before: str, after: str, *, days_later: int = 0) -> None:
        """A move that the period's close made, or that was approved some days later."""
        self.execute(
            "insert into loyalty.tier_history (member_no, effective_at, from_tier_no, tier_no, period, upward,"
            " rules_version, review_no, recorded_at) values (:member_no,"
            " loyalty.period_start(:next) + make_interval(days => :days), :before, :after, :period,"
            " :after > :before, 1, case when :days > 0 then :member_no end, :at)",
            member_no=member_no,
            next=following(period),
            days=days_later,
            before=TIERS[before],
            after=TIERS[after],
            period=period,
            at=AT,
        )

    def voucher(
        self,
        member_no: int,
        period: date,
        tier: str,
        amount: int,
        *,
        before: str | None = None,
        archived: bool = False,
        days_later: int = 0,
    ) -> None:
        """A voucher for the move into the tier, in minor units."""
        table, column, value = ("voucher_archive", ", archived_at", ", :at") if archived else ("vouchers", "", "")
        self.execute(
            f"insert into loyalty.{table} (code, member_no, tier_no, from_tier_no, amount, currency, state, issued_at,"
            f" expires_at, period{column}) select :code, :member_no, :tier_no, :before, :amount, 'USD', 'issued',"
            f" moved_at, moved_at + interval '90 days', :period{value}"
            " from (select loyalty.period_start(:next) + make_interval(days => :days) as moved_at) as m",
            code=f"CODE{next(_codes)}",
            member_no=member_no,
            tier_no=TIERS[tier],
            before=TIERS[before or tier],
            amount=amount,
            next=following(period),
            days=days_later,
            period=period,
            **({"at": AT} if archived else {}),
        )


@pytest.fixture
def books(connection: Connection) -> Books:
    """A programme with December 2017 closed and no member yet."""
    made = Books(connection)
    made.execute("insert into loyalty.programme (time_zone) values ('UTC')")
    install_first(connection, Programme(), at=AT)
    made.month(DECEMBER)
    return made

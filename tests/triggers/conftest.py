"""A shop whose rules give points for more than purchases, and a desk that asks it for them in few words."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.db import adjustments, check_ins, milestones, referrals, rules_versions, triggers
from loyalty.db.adjustments import Adjustment
from loyalty.db.check_ins import CheckedIn
from loyalty.db.engine import transaction
from loyalty.db.milestones import Day
from loyalty.db.referrals import Referral
from loyalty.db.triggers import Given
from loyalty.rules.programme import Earning
from tests.laws.conftest import Databases, databases
from tests.laws.product import rules_of
from tests.model import DEFAULT, Transaction
from tests.till.till_product import TillProduct

__all__ = ["databases"]

BEFORE = datetime(2015, 1, 2, tzinfo=UTC)
JANUARY = datetime(2026, 1, 10, 12, tzinfo=UTC)


@dataclass
class Desk:
    """A till's product with what this folder is about; each call is a transaction of its own."""

    till: TillProduct

    def put(self, customer_id: str, now: datetime = JANUARY, **given: Any) -> bool:
        """Enrol or change a member, as the API does."""
        with transaction() as connection:
            return triggers.put_member(connection, customer_id, given, now)

    def share(self, customer_id: str, channel: str, now: datetime) -> Given:
        """Share."""
        with transaction() as connection:
            return triggers.share(connection, customer_id, channel, now)

    def check_in(self, customer_id: str, code: str, now: datetime) -> CheckedIn:
        """Check in with a code."""
        with transaction() as connection:
            return check_ins.check_in(connection, customer_id, code, now)

    def location(self, name: str, now: datetime = JANUARY) -> int:
        """Make a location known."""
        with transaction() as connection:
            return check_ins.add_location(connection, name, now)

    def code(self, location_no: int, now: datetime) -> str:
        """The code that a location shows at an instant."""
        with transaction() as connection:
            return check_ins.code(connection, location_no, triggers.today(connection, now), now)

    def refer(
        self, referrer: str, referred: str, now: datetime = JANUARY, traits: Mapping[str, str] | None = None
    ) -> Referral:
        """Refer."""
        with transaction() as connection:
            return referrals.refer(connection, referrer, referred, now, traits)

    def adjust(self, customer_id: str, points: int, now: datetime = JANUARY, **given: str) -> Adjustment:
        """Adjust by hand; by ann for goodwill, unless told."""
        said = {"reason": "goodwill", "note": "", "by": "ann"} | given
        with transaction() as connection:
            return adjustments.adjust(connection, customer_id, points, now=now, **said)

    def day(self, now: datetime) -> Day:
        """Run the day."""
        self.till.tell_time(now)
        return milestones.run_day(now, now)

    def buy(self, transaction_id: str, customer_id: str, at: datetime, amount: int = 100) -> int:
        """A purchase at the till of so many minor units; the points posted for it alone."""
        return self.till.purchase(Transaction(transaction_id, customer_id, at, amount), at)

    def grants(self) -> list[tuple[str, str, str, int]]:
        """All grants as (customer_id, kind, occasion, points), in order."""
        return self.rows(
            "select m.customer_id, g.kind::text, g.occasion, g.points from loyalty.grants as g"
            " join loyalty.members as m using (member_no) order by 1, 2, 3"
        )

    def messages(self) -> list[tuple[str, str, str, Any]]:
        """All messages but those of the close, as (customer_id, kind, occasion, facts), in order."""
        return self.rows(
            "select m.customer_id, o.kind::text, o.occasion, o.facts from loyalty.outbox as o"
            " join loyalty.members as m using (member_no)"
            " where o.kind in ('welcome', 'birthday', 'bonus_credited') order by 1, 2, 3"
        )

    def rows(self, statement: str, **parameters: Any) -> list[Any]:
        """Rows of a query, as tuples."""
        with transaction() as connection:
            return [tuple(row) for row in connection.execute(text(statement), parameters)]


Open = Callable[..., Desk]


@pytest.fixture
def desk(databases: Databases, tmp_path: Path) -> Iterator[Open]:
    """Opens a desk in a database of its own, under these keys of the rules file."""
    with ExitStack() as stack:

        def opened(zone: str = "UTC", earning: Earning = "on_purchase", **keys: Any) -> Desk:
            patch = stack.enter_context(databases())
            rules = replace(DEFAULT, earning=earning)
            till = TillProduct(patch, tmp_path, zone=zone, rules=rules)
            with transaction() as connection:
                rules_versions.install(
                    connection, rules_of(rules).model_copy(update=keys), from_period=None, by="ann", at=BEFORE
                )
            return Desk(till)

        yield opened

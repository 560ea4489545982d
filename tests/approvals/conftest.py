"""A shop whose January proposes several members for Gold: what waits for its managers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.db import approvals, engine, rules_versions
from loyalty.db.engine import connect, transaction
from loyalty.rules.periods import parse_period
from loyalty.rules.programme import Programme
from tests.laws.conftest import Databases, databases
from tests.laws.product import Product
from tests.model import Transaction

__all__ = ["databases"]

SOLD_AT = datetime(2026, 1, 10, tzinfo=UTC)
CLOSED_AT = datetime(2026, 2, 2, 12, tzinfo=UTC)
DECIDED_AT = datetime(2026, 2, 3, 12, tzinfo=UTC)
DUE_AT = datetime(2026, 2, 16, 12, tzinfo=UTC)


@dataclass
class Shop:
    """The product with one batch of upgrades into Gold, C1 to C5, that waits since 2 February."""

    product: Product

    def states(self) -> dict[str, tuple[str, str | None, str | None]]:
        """The state of each review, who decided it, and the note."""
        rows = self.rows(
            "select m.customer_id, r.state, r.decided_by, r.note from loyalty.reviews as r"
            " join loyalty.members as m using (member_no) order by 1"
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    def number(self, customer_id: str) -> int:
        """A customer's member number."""
        [(found,)] = self.rows("select member_no from loyalty.members where customer_id = :c", c=customer_id)
        return int(found)

    def review(self, customer_id: str) -> int:
        """A customer's newest review."""
        [(found,)] = self.rows(
            "select max(r.review_no) from loyalty.reviews as r join loyalty.members as m using (member_no)"
            " where m.customer_id = :c",
            c=customer_id,
        )
        return int(found)

    def refund(self, customer_id: str) -> None:
        """Take back what a customer bought in January."""
        back = Transaction(
            f"R-{customer_id}", customer_id, DECIDED_AT, 300_000, kind="refund", original=f"T-{customer_id}"
        )
        assert self.product.record([back], DECIDED_AT) == []

    def rules(self, **changed: Any) -> None:
        """Other rules from February on."""
        with transaction() as connection:
            rules_versions.install(
                connection, Programme(**changed), from_period=parse_period("2026-02"), by="test", at=CLOSED_AT
            )

    def moved(self) -> list[str]:
        """The customers who hold Gold."""
        return [
            row[0]
            for row in self.rows(
                "select m.customer_id from loyalty.accounts as a join loyalty.members as m using (member_no)"
                " join loyalty.tiers as t using (tier_no) where t.name = 'Gold' order by 1"
            )
        ]

    def approval(self) -> approvals.Approval:
        """The only approval."""
        with connect() as connection:
            [found] = approvals.listed(connection, None)
            return found

    def rows(self, statement: str, **params: Any) -> list[Any]:
        """The rows of a statement, in a transaction of its own."""
        with transaction() as connection:
            result = connection.execute(text(statement), params)
            return list(result) if result.returns_rows else []


@pytest.fixture(scope="session")
def closed_shop(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database in which January is closed and its upgrades wait, to be copied."""
    with databases() as patch:
        product = Product(patch, tmp_path_factory.mktemp("approvals"))
        sales = [Transaction(f"T-C{number}", f"C{number}", SOLD_AT, 300_000 + 1_000 * number) for number in range(1, 6)]
        assert product.record([*sales, Transaction("T-C9", "C9", SOLD_AT, 5_000)], CLOSED_AT) == []
        assert product.close("2026-01", now=CLOSED_AT) == "closed"
        with connect() as connection:
            name = str(connection.execute(text("select current_database()")).scalar_one())
        engine.dispose()
        patch.undo()
        yield name


@contextmanager
def opened(databases: Databases, closed_shop: str, folder: Path) -> Iterator[Shop]:
    """A copy of the shop, on 3 February."""
    with databases(like=closed_shop) as patch:
        product = Product(patch, folder)
        product.tell_time(DECIDED_AT)
        yield Shop(product)


@pytest.fixture
def shop(databases: Databases, closed_shop: str, tmp_path: Path) -> Iterator[Shop]:
    """A shop of the test's own."""
    with opened(databases, closed_shop, tmp_path) as made:
        yield made

"""A shop whose purchases come with channel and location, and campaigns that run in it."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.db import approvals, campaigns
from loyalty.db.campaign_awards import Given, run
from loyalty.db.engine import connect
from loyalty.db.imports import import_transactions
from loyalty.rules.campaign import Campaign
from tests.laws.conftest import Databases, databases
from tests.laws.product import Product, major

__all__ = ["databases"]

COLUMNS = "transaction_id customer_id kind occurred_at amount original_transaction_id channel location".split()


@dataclass(frozen=True)
class Sold:
    """A purchase, or what came back of one: minor units."""

    number: str
    customer: str
    at: datetime
    amount: int
    of: str | None = None
    channel: str = ""
    location: str = ""


class CampaignShop(Product):
    """A programme in a database, with campaigns."""

    def sell(self, rows: Sequence[Sold], at: datetime, *, correct: bool = False) -> None:
        """Import a file of these rows."""
        self.tell_time(at)
        self._files += 1
        file = self.folder / f"sold-{self._files}.csv"
        with file.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(COLUMNS)
            for row in rows:
                kind = "refund" if row.of else "sale"
                told = (row.number, row.customer, kind, row.at.isoformat(), major(row.amount), row.of or "")
                writer.writerow([*told, row.channel, row.location])
        assert import_transactions(file, correct=correct).rejected == 0

    def start(self, at: datetime, **keys: Any) -> str:
        """Ask for a campaign of these keys, and let it be approved at the same instant; what came of it."""
        self.tell_time(at)
        defaults = {"name": "test", "starts_on": "2026-01-01", "ends_on": "2026-01-31", "gives": "points", "holdout": 0}
        wanted = Campaign.model_validate(defaults | {"budget": 1_000_000} | keys)
        asked = campaigns.ask(wanted, {}, asked_by="ana", note="", at=at)
        assert asked.approval_no is not None
        return approvals.decide(asked.approval_no, approve=True, by="ben").told

    def award(self, at: datetime) -> Given:
        """Do what campaigns have to do by then."""
        self.tell_time(at)
        return run(at)

    def awards(self) -> dict[str, tuple[str, int]]:
        """By transaction: the campaign that rewarded it, and the points that are left of it."""
        rows = self.rows(
            "select t.transaction_id, c.name, (w.points - coalesce(sum(b.points), 0))::int as points"
            " from loyalty.campaign_awards as w join loyalty.campaigns as c using (campaign_no)"
            " join loyalty.transactions as t using (transaction_no)"
            " left join loyalty.campaign_take_backs as b using (transaction_no)"
            " group by t.transaction_id, c.name, w.points order by t.transaction_id"
        )
        return {row["transaction_id"]: (row["name"], row["points"]) for row in rows}

    def balances(self) -> dict[str, int]:
        """Each customer's balance."""
        rows = self.rows("select customer_id, balance from loyalty.members join loyalty.accounts using (member_no)")
        return {row["customer_id"]: row["balance"] for row in rows}

    def rows(self, question: str, **params: Any) -> list[dict[str, Any]]:
        """What a statement finds."""
        with connect() as connection:
            return [dict(row) for row in connection.execute(text(question), params).mappings()]


Opened = Callable[..., CampaignShop]


@pytest.fixture
def opened(databases: Databases, tmp_path: Path) -> Iterator[Opened]:
    """Makes shops, each in a database of its own."""
    with ExitStack() as stack:
        yield lambda **settings: CampaignShop(stack.enter_context(databases()), tmp_path, **settings)

"""A programme in New York under the default rules, on a real database, and files to import into it."""

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from loyalty.db import engine, rules_versions
from loyalty.db.imports import ImportResult, import_members, import_rates, import_transactions
from loyalty.rules.programme import Programme

CLOCK = "2026-12-01T12:00:00Z"


class Shop:
    """Writes files, imports them, and tells whole values of what came of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, content: str | bytes, name: str = "F.csv") -> Path:
        """Write a file as it is given."""
        data = content.encode() if isinstance(content, str) else content
        path = self.folder / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    def transactions(self, content: str | bytes, name: str = "F.csv") -> ImportResult:
        """Import transactions."""
        return import_transactions(self.write(content, name))

    def members(self, content: str | bytes, name: str = "F.csv") -> ImportResult:
        """Import members."""
        return import_members(self.write(content, name))

    def rates(self, content: str | bytes, name: str = "F.csv") -> ImportResult:
        """Import exchange rates."""
        return import_rates(self.write(content, name))

    def rejected(self) -> list[str]:
        """The lines of F.rejected.csv."""
        return (self.folder / "F.rejected.csv").read_text(encoding="utf-8").splitlines()

    def reasons(self) -> list[tuple[int, str]]:
        """Line and reason of each row of F.rejected.csv."""
        with (self.folder / "F.rejected.csv").open(encoding="utf-8", newline="") as file:
            return [(int(row["line"]), row["reason"]) for row in csv.DictReader(file)]

    def rows(self, query: str, **params: Any) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), params)]

    def execute(self, statement: str, **params: Any) -> None:
        """Change the database by hand."""
        with engine.transaction() as connection:
            connection.execute(text(statement), params)

    def recorded(self) -> list[tuple[Any, ...]]:
        """Id, customer, kind, instant, minor units, currency and period of every transaction."""
        return self.rows(
            "select t.transaction_id, m.customer_id, t.kind, t.occurred_at, t.amount, t.currency, t.booked_period"
            " from transactions as t inner join members as m using (member_no) order by t.transaction_id"
        )

    def ids(self) -> list[str]:
        """The ids of all transactions, each of which must have its key."""
        told = [
            row[0]
            for row in self.rows(
                "select t.transaction_id from transactions as t inner join transaction_keys as k"
                " using (source_no, transaction_id, transaction_no, member_no, booked_period) order by 1"
            )
        ]
        assert self.rows("select (select count(*) from transactions), (select count(*) from transaction_keys)") == [
            (len(told), len(told))
        ]
        return told


@pytest.fixture
def shop(database: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("LOYALTY_CLOCK", CLOCK)
    with engine.transaction() as connection:
        connection.execute(text("insert into programme (time_zone) values ('America/New_York')"))
        rules_versions.install_first(connection, Programme(), at=datetime(2026, 1, 1, tzinfo=UTC))
    return Shop(tmp_path)

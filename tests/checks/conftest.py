"""A small programme in which everything that the checks look at has happened."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, create_engine, text

from loyalty import clock, monthly
from loyalty.db import engine, programme, reviews
from loyalty.db.imports import import_transactions
from loyalty.db.rules_versions import install
from loyalty.rules.periods import parse_period
from loyalty.rules.toml import parse

RULES = """
expiry_months = 2
voucher_days = 31
shortfall = "{shortfall}"
tiers = [
    {{name = "Bronze", threshold = 0}},
    {{name = "Silver", threshold = 20, voucher = 5.00}},
    {{name = "Gold", threshold = 60, voucher = 10.00, review = true}},
    {{name = "Platinum", threshold = 120, voucher = 25.00, gift = "box", review = true}},
]
"""
ROWS = """transaction_id,customer_id,occurred_at,amount,kind,original_transaction_id
A1,ann,2026-01-05T10:00:00,300.00,sale,
A2,ann,2026-02-05T10:00:00,100.00,refund,A1
A3,ann,2026-04-05T10:00:00,100.00,refund,A1
B1,bob,2026-03-06T10:00:00,700.00,sale,
C1,cyd,2026-02-06T10:00:00,1300.00,sale,
C2,cyd,2026-05-06T10:00:00,60.00,sale,
D1,dan,2026-03-07T10:00:00,700.00,sale,
E1,eve,2026-01-08T10:00:00,50.00,refund,
F1,fay,2026-01-09T10:00:00,50.00,refund,
F2,fay,2026-02-09T10:00:00,80.00,sale,
G1,gil,2026-05-09T10:00:00,30.00,refund,
"""


@pytest.fixture(scope="session")
def world(server: URL, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """Five closed months: expiries, take-backs, debts, a write-off, moves, reviews of every outcome, a late sale."""
    url = server.set(database=f"loyalty_world_{tmp_path_factory.getbasetemp().name}".replace("-", "_"))
    _administer(server, f"create database {url.database} template {template}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOYALTY_DATABASE_URL", url.render_as_string(hide_password=False))
        patch.setenv("LOYALTY_CLOCK", "2026-06-03T12:00:00Z")
        _live(tmp_path_factory.mktemp("world"), patch)
        engine.dispose()
    yield url
    _administer(server, f"drop database {url.database} with (force)")


def _live(folder: Path, patch: pytest.MonkeyPatch) -> None:
    rules = folder / "rules.toml"
    rules.write_text(RULES.format(shortfall="owe"))
    patch.setenv("LOYALTY_RULES", str(rules))
    with engine.connect() as connection:
        programme.set_up(connection, at=clock.now())
    with engine.transaction() as connection:
        later = parse(RULES.format(shortfall="write_off"))
        install(connection, later, from_period=parse_period("2026-05"), by="mia", at=clock.now())
    _record(folder, ROWS)
    for period in ("2026-01", "2026-02", "2026-03", "2026-04", "2026-05"):
        approve = period == "2026-02"
        terms = monthly.Terms(reviews="approve" if approve else "hold", decided_by="mia" if approve else None)
        monthly.close_month(parse_period(period), terms)
        if period == "2026-01":  # too late for January: booked to February
            _record(folder, ROWS.splitlines()[0] + "\nA0,ann,2026-01-31T10:00:00,1.50,sale,\n")
    waiting = {row.customer_id: row.review_no for row in reviews.listed()}
    reviews.approve([waiting["bob"]], by="mia")
    reviews.reject([waiting["dan"]], by="mia", note="returns too much")


def _record(folder: Path, rows: str) -> None:
    file = folder / "rows.csv"
    file.write_text(rows)
    assert import_transactions(file).rejected == 0


def _administer(server: URL, command: str) -> None:
    made = create_engine(server.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        connection.execute(text(command))
    made.dispose()


@pytest.fixture
def books(world: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection to the world in a transaction that is rolled back: what a test breaks is whole for the next."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", world.render_as_string(hide_password=False))
    with engine.connect() as connection:
        yield connection
        connection.rollback()
    engine.dispose()

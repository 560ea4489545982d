"""The benchmark's data: what is measured is a month like any other, and the same month as the floor's."""

from collections.abc import Iterator
from datetime import date

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 spells small
from sqlalchemy import URL
from sqlalchemy import Connection as SqlConnection

from loyalty.db.programme import set_up
from loyalty.db.verify import verify
from loyalty.monthly import Terms, close_month
from tests.bench import close, floor
from tests.bench.server import CLOCK

OCTOBER = date(2026, 10, 1)
MEMBERS = 400


@pytest.fixture
def raw(database: URL, connection: SqlConnection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection outside transactions to the benchmark's programme, with its members and their October."""
    monkeypatch.setenv("LOYALTY_RULES", str(close.HERE / "programme.toml"))
    monkeypatch.setenv("LOYALTY_CLOCK", CLOCK)
    set_up(connection, at=close.AT)
    opened = psycopg2.connect(database.render_as_string(hide_password=False))
    opened.autocommit = True
    close.fill(opened, MEMBERS)
    yield opened
    opened.close()


def test_a_close_writes_as_many_rows_as_the_floor(raw: Connection) -> None:
    """Law: on the same number of members, as many statements, entries, lots, vouchers and messages as the floor's."""
    close_month(OCTOBER, Terms())
    floor.load(raw, members=MEMBERS, transactions=close.SALES * MEMBERS)
    floor.close(raw)
    assert _counts(raw, close.ROWS) == _counts(raw, floor.ROWS)
    assert _broken() == {}


def test_twelve_months_made_at_once_are_as_if_closed(raw: Connection, connection: SqlConnection) -> None:
    """Law: every check holds after the twelve months, and after the close that follows, which expires a lot of each."""
    close.fill_earlier(raw, connection)
    assert _broken() == {}
    close_month(OCTOBER, Terms())
    assert _broken() == {}
    expired = "select count(*), count(distinct member_no) from loyalty.entries where kind = 'expire'"
    assert _counts(raw, expired) == [MEMBERS, MEMBERS]


def _counts(raw: Connection, question: str) -> list[int]:
    with raw.cursor() as cursor:
        cursor.execute(question)
        return list(cursor.fetchone() or ())


def _broken() -> dict[str, object]:
    return {check.name: check.rows for check in verify() if not check.holds}

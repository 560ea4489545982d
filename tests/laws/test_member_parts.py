"""The parts of the books: each quarter of a million members have tables of their own."""

import threading

import pytest
from sqlalchemy import Connection, text

from loyalty.db import expiry
from loyalty.db.engine import transaction
from loyalty.errors import LoyaltyError
from tests.laws import shop
from tests.laws.product import Product

AHEAD = 10_000  # members for whom there is a part before they come
PART = 250_000
TABLES = ["entries", "lots", "outbox", "statements_2026_01", "tier_history", "vouchers"]
PARTS = """
select p.relname, pg_get_expr(c.relpartbound, c.oid)
from pg_inherits as i
join pg_class as c on i.inhrelid = c.oid
join pg_class as p on i.inhparent = p.oid
where p.relkind = 'p' and p.relnamespace = 'loyalty'::regnamespace
    and p.relname <> 'statements' and p.relname !~ '^work_'
order by p.relname, c.oid
"""


def enrol(customer_id: str) -> int:
    """Enrol one customer, in a transaction of its own; the member's number."""
    with transaction() as connection:
        enrolled = (
            "insert into loyalty.members (customer_id, enrolled_at) values (:customer_id, now()) returning member_no"
        )
        return int(connection.execute(text(enrolled), {"customer_id": customer_id}).scalar_one())


def next_is(member_no: int) -> None:
    """Let the next member have this number."""
    with transaction() as connection:
        connection.execute(text("select setval('loyalty.members_member_no_seq', :n, false)"), {"n": member_no})


def open_period(period: str) -> None:
    """Make a month's statements."""
    with transaction() as connection:
        connection.execute(text("select loyalty.ensure_statements(:period)"), {"period": period})


def bounds(parts: int) -> list[str]:
    """Of a table in so many parts, who is in each."""
    return [f"FOR VALUES FROM ('{n * PART + 1}') TO ('{(n + 1) * PART + 1}')" for n in range(parts)]


def expected(parts: int, tables: list[str] = TABLES) -> list[tuple[str, str]]:
    """Every table in so many parts."""
    return [(table, bound) for table in tables for bound in bounds(parts)]


def found(connection: Connection) -> list[tuple[str, str]]:
    """Every part there is: its table, and whose rows it has."""
    return [(table, bound) for table, bound in connection.execute(text(PARTS))]


def test_there_is_a_part_for_whoever_comes(connection: Connection) -> None:
    """Law: each table has a part for every member and the ten thousand to come, whether month or member came first."""
    open_period("2026-01-01")
    assert found(connection) == expected(1)
    next_is(PART - AHEAD)
    assert enrol("last with one part ahead") == PART - AHEAD
    assert found(connection) == expected(1)
    enrol("first with two")
    assert found(connection) == expected(2)
    next_is(3 * PART)
    enrol("whoever comes after a gap")
    assert found(connection) == expected(4)
    open_period("2026-02-01")
    assert found(connection) == expected(4, sorted([*TABLES, "statements_2026_02"]))


def test_two_make_no_part_twice(connection: Connection) -> None:
    """Law: many who enrol and open months at once, at the end of a part, all succeed, and each part is there once."""
    next_is(PART - AHEAD - 4)
    begin = threading.Barrier(12)
    failures: list[Exception] = []

    def at_once(number: int) -> None:
        begin.wait()
        try:
            if number % 3:
                enrol(f"C{number}")
            else:
                open_period("2026-01-01")
        except LoyaltyError as failure:
            failures.append(failure)

    threads = [threading.Thread(target=at_once, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert found(connection) == expected(2)


def test_who_enrols_beyond_waits_for_nobody_within(connection: Connection) -> None:
    """Law: a part is made, or a month opened, while others write into the parts there are: none waits for another."""
    entry = (
        "insert into loyalty.entries (period, member_no, kind, points, occurred_at, recorded_at)"
        " values ('2026-01-01', 1, 'adjust', 5, now(), now())"
    )
    open_period("2026-01-01")
    connection.execute(text(entry))  # a till, in the middle of its transaction
    connection.execute(text("select from loyalty.statements where member_no = 1"))
    next_is(PART)
    with transaction() as other:
        other.execute(text("set local lock_timeout = '2s'"))
        other.execute(text("insert into loyalty.members (customer_id, enrolled_at) values ('beyond', now())"))
        other.execute(text("select loyalty.ensure_statements('2026-02-01')"))
        connection.execute(text("set local lock_timeout = '2s'"))
        connection.execute(text(entry.replace("'adjust'", "'bonus'")))
    connection.rollback()


@pytest.mark.parametrize(
    "change", ["update loyalty.entries_1 set points = 1", "delete from loyalty.entries_1", "truncate loyalty.entries_1"]
)
def test_entries_stay_whatever_they_are_reached_by(connection: Connection, change: str) -> None:
    """Law: a part of the entries is as append-only as the whole."""
    with pytest.raises(Exception, match=r"entries_1 is append-only: \w+ is refused"):
        connection.execute(text(change))


def test_the_planner_knows_the_whole(small_shop: Product) -> None:
    """Law: the daily job tells the planner of the books as wholes, which the server does not do by itself."""
    expiry.expire(shop.FEBRUARY_CLOSED_AT)
    with transaction() as connection:
        known = connection.scalars(
            text("select distinct tablename from pg_stats where inherited and schemaname = 'loyalty'")
        )
        assert set(known) >= {"entries", "lots", "tier_history"}  # the shop has no voucher left, and no message yet

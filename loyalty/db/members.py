"""A member as the books have it at an instant: standing, balance, lots, vouchers, reviews; and why.

Rows are mappings from the columns of their statement in sql/reads/member_*.sql to Python values: instants are aware,
periods are dates, money is Decimal in major units, points are int.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from loyalty.db.engine import connect
from loyalty.db.statements import run
from loyalty.errors import Refused

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """A member at the instant `as_of`. `balance` = `available` + `pending` - `owed`.

    `held_until` is the month with whose beginning the tier is no longer safe. `statement` is that of the newest month
    closed by then, with the columns of the export; None before the first.
    """

    customer_id: str
    member_no: int
    as_of: datetime
    enrolled_at: datetime
    erased_at: datetime | None
    tier: str
    tier_since: datetime | None
    held_until: date | None
    balance: int
    available: int
    pending: int
    owed: int
    qualifying_points: int | None
    statement: Row | None
    lots: tuple[Row, ...]
    vouchers: tuple[Row, ...]
    reviews: tuple[Row, ...]
    moves: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """A closed month that rated something: the exact sum it opened with and left, and the whole points it posted."""

    period: date
    rules_version: int
    exact_before: Decimal
    exact_after: Decimal
    points_earned: int
    transactions: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """An entry and what it comes from.

    `transactions` were rated for it, `uses` are the points it took of which lot (or owes still, with no lot),
    `taken_by` the entries that took points of its own lot. `exact_before` and `exact_after` are the running exact sum
    on either side of those transactions: their floors differ by what was posted.
    """

    entry: Row
    transactions: tuple[Row, ...]
    exact_before: Decimal | None
    exact_after: Decimal | None
    uses: tuple[Row, ...]
    taken_by: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """Every point of a member: entry by entry, month by month, and the transactions that no close has rated yet."""

    causes: tuple[Cause, ...]
    months: tuple[Month, ...]
    waiting: tuple[Row, ...]


def read_member(customer_id: str, as_of: datetime) -> Member:
    """Read a member as of an instant, past or coming. Raises Refused if there is none."""
    with _snapshot() as connection:
        return _member(connection, _find(connection, customer_id), as_of)


def read_why(customer_id: str, as_of: datetime) -> tuple[Member, Why]:
    """Read a member with the cause of every point. Raises Refused if there is none."""
    with _snapshot() as connection:
        member = _member(connection, _find(connection, customer_id), as_of)
        return member, _why(connection, member)


@contextmanager
def _snapshot() -> Iterator[Connection]:
    """A connection that sees one state of the database throughout."""
    with connect() as connection:
        yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _find(connection: Connection, customer_id: str) -> int:
    found: int | None = run(connection, "reads/member_found", customer_id=customer_id).scalar_one_or_none()
    if found is None:
        raise Refused("there is no member with this customer_id")
    return found


def _member(connection: Connection, member_no: int, as_of: datetime) -> Member:
    def rows(name: str) -> tuple[Row, ...]:
        return tuple(_rows(connection, name, member_no=member_no, as_of=as_of))

    (standing,) = rows("reads/member_standing")
    months = rows("reads/member_months")
    lots = rows("reads/member_lots")
    available = sum(lot["remaining"] for lot in lots if lot["state"] == "available")
    pending = sum(lot["remaining"] for lot in lots if lot["state"] == "pending")
    entries = _entries(connection, member_no, as_of)
    posted = sum(entry["points"] for entry in entries if entry["kind"] != "expiry_reversed")
    owed = sum(lot["in_books"] for lot in lots) - posted
    statement = _statement(connection, member_no, months[-1]["period"]) if months else None
    return Member(
        **standing,
        as_of=as_of,
        balance=available + pending - owed,
        available=available,
        pending=pending,
        owed=owed,
        qualifying_points=_qualifying_points(connection, member_no, months[-1]["period"], as_of) if months else None,
        statement=statement,
        lots=tuple({name: value for name, value in lot.items() if name != "in_books"} for lot in lots),
        vouchers=rows("reads/member_vouchers"),
        reviews=rows("reads/member_reviews"),
        moves=rows("reads/member_moves"),
    )


def _rows(connection: Connection, name: str, **params: Any) -> list[Row]:
    return [dict(row) for row in run(connection, name, **params).mappings()]


def _statement(connection: Connection, member_no: int, period: date) -> Row:
    return dict(run(connection, "reads/export_statements", period=period, member_no=member_no).mappings().one())


def _qualifying_points(connection: Connection, member_no: int, stated: date, as_of: datetime) -> int:
    """What counts for the tier at the newest close, which may state nothing of the member."""
    found: int = run(
        connection, "reads/qualifying_points", member_no=member_no, stated_period=stated, as_of=as_of
    ).scalar_one()
    return found


def _entries(connection: Connection, member_no: int, as_of: datetime) -> list[Row]:
    rows = _rows(connection, "reads/export_entries", member_no=member_no, after=None, most=None)
    return [row for row in rows if datetime.fromisoformat(row["occurred_at"]) <= as_of]


def _why(connection: Connection, member: Member) -> Why:
    given = {"member_no": member.member_no, "as_of": member.as_of}
    entries = _entries(connection, member.member_no, member.as_of)
    known = {entry["entry_id"]: entry for entry in entries}
    uses = _rows(connection, "reads/member_uses", member_no=member.member_no)
    uses = [use for use in uses if use["entry_id"] in known]
    rated = _rows(connection, "reads/member_transactions", **given)
    months = _months(_rows(connection, "reads/member_months", **given), rated)
    return Why(
        causes=tuple(_cause(entry, months, uses, known, rated) for entry in entries),
        months=tuple(months.values()),
        waiting=tuple(row for row in rated if row["booked_period"] not in months),
    )


def _months(stated: list[Row], rated: list[Row]) -> dict[date, Month]:
    months: dict[date, Month] = {}
    before = Decimal(0)
    for row in stated:
        own = tuple(what for what in rated if what["booked_period"] == row["period"])
        months[row["period"]] = Month(
            row["period"], row["rules_version"], before, row["exact_sum"], row["points_earned"], own
        )
        before = row["exact_sum"]
    return months


def _cause(
    entry: Row, months: Mapping[date, Month], uses: list[Row], known: Mapping[int, Row], rated: list[Row]
) -> Cause:
    month = months.get(date.fromisoformat(f"{entry['period']}-01"))
    transactions, before, after = _rated(entry, month)
    if entry["source"] == "till":
        transactions = tuple(row for row in rated if row["transaction_id"] == entry["reference"])
    own = tuple(use for use in uses if use["entry_id"] == entry["entry_id"])
    taken = tuple(
        {"entry_id": use["entry_id"], "kind": known[use["entry_id"]]["kind"], "points": use["points"]}
        for use in uses
        if use["lot_no"] == entry["entry_id"]
    )
    return Cause(entry, transactions, before, after, own, taken)


def _rated(entry: Row, month: Month | None) -> tuple[tuple[Row, ...], Decimal | None, Decimal | None]:
    """The transactions that an earn or take_back was posted for, and the exact sum before and after them.

    A close takes the months of the sales in order, its own last, and with it what corrections add to earlier ones.
    """
    if month is None or entry["kind"] not in {"earn", "take_back"} or entry["source"] == "till":
        return (), None, None
    sums: dict[date, Decimal] = {}
    for row in month.transactions:
        sums[row["sale_period"]] = sums.get(row["sale_period"], Decimal(0)) + row["exact_points"]
    sales = date.fromisoformat(f"{entry['reference']}-01")
    with_own = {month.period, *(period for period, exact in sums.items() if exact > 0)}
    rated = with_own if sales == month.period else {sales}
    earlier = {period for period in sums.keys() - with_own if sales == month.period or period < sales}
    before = month.exact_before + sum((sums[period] for period in earlier), Decimal(0))
    own = tuple(row for row in month.transactions if row["sale_period"] in rated)
    return own, before, before + sum((row["exact_points"] for row in own), Decimal(0))

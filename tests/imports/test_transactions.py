"""Transactions from CSV: what is recorded, what is rejected; again, in another order or at once is the same."""

import random
import threading
import time
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.db import engine
from loyalty.db.imports import parts
from loyalty.db.imports.transactions import hold_periods

HEADER = "transaction_id,customer_id,occurred_at,amount"
FULL = HEADER + ",source,kind,currency,original_transaction_id"
OCTOBER, NOVEMBER, DECEMBER = date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0, month: int = 10) -> datetime:
    """An instant of 2026 in UTC."""
    return datetime(2026, month, day, hour, minute, second, tzinfo=UTC)


def test_good_rows_are_recorded(shop: Any) -> None:
    """Law: every way of ISO 8601 is read, without offset in the programme's zone; the period is of that zone too."""
    result = shop.transactions(
        f"{HEADER}\nA,C1,2026-10-05T10:00:00Z,12.34\nB,C2,2026-10-05 10:00,5\nC,C1,2026-10-05,0.00\n"
        "D,C1,2026-11-01T03:30:00+00:00,7.5\nE,C1,2026-11-01T01:30,1\nF,C1,2026-03-08T02:30,1\n"
        "G,C1,2026-10-05T10:00:00.123456789-05:30,1\nH,C1,2026-10-05t24:00z,1\nI,C1,2024-02-29,1.000\n"
    )

    assert (result.read, result.loaded, result.unchanged, result.rejected) == (9, 9, 0, 0)
    assert result.rejected_path is None
    assert shop.recorded() == [
        ("A", "C1", "sale", at(5, 10), 1234, "USD", OCTOBER),
        ("B", "C2", "sale", at(5, 14), 500, "USD", OCTOBER),
        ("C", "C1", "sale", at(5, 4), 0, "USD", OCTOBER),
        ("D", "C1", "sale", at(1, 3, 30, month=11), 750, "USD", OCTOBER),
        ("E", "C1", "sale", at(1, 6, 30, month=11), 100, "USD", NOVEMBER),
        ("F", "C1", "sale", at(8, 7, 30, month=3), 100, "USD", date(2026, 3, 1)),
        ("G", "C1", "sale", datetime(2026, 10, 5, 15, 30, 0, 123457, tzinfo=UTC), 100, "USD", OCTOBER),
        ("H", "C1", "sale", at(6), 100, "USD", OCTOBER),
        ("I", "C1", "sale", datetime(2024, 2, 29, 5, tzinfo=UTC), 100, "USD", date(2024, 2, 1)),
    ]
    assert shop.rows("select state, period from periods order by period") == [
        ("open", date(2024, 2, 1)),
        ("open", date(2026, 3, 1)),
        ("open", OCTOBER),
        ("open", NOVEMBER),
    ]


def test_unknown_customers_are_enrolled(shop: Any) -> None:
    """Law: a transaction of an unknown customer makes the member and an account on the first rung; a bad one none."""
    shop.members("customer_id\nC1\n")
    shop.transactions(f"{HEADER}\nA,C1,2026-10-05,1\nB,C2,2026-10-05,1\nC,C3,2026-10-05,x\nD,C2,2026-10-06,1\n")

    assert shop.rows(
        "select customer_id, name, balance, enrolled_at::date from members inner join accounts using (member_no)"
        " inner join tiers using (tier_no) order by customer_id"
    ) == [("C1", "Bronze", 0, date(2026, 12, 1)), ("C2", "Bronze", 0, date(2026, 12, 1))]


def test_all_columns_are_kept(shop: Any) -> None:
    """Law: pieces, channel, location and source are recorded, in any order of columns; what nobody reads is named."""
    result = shop.transactions(
        "discount,Note, tax,shipping,tip,fee,gift_card,paid_with_points,channel,location,source,amount,occurred_at,"
        "customer_id,transaction_id\n"
        "1,hello,0.50,1.00,0.25,0.75,2.00,3.00,web, Main St ,till 7,10,2026-10-05,C1,A\n"
        ',"x, y",,,,,,,,"5th Ave\nNew York",,10,2026-10-05,C1,B\n'
    )

    assert (result.loaded, result.ignored) == (2, ("Note",))
    assert shop.rows(
        "select transaction_id, tax, shipping, tip, fee, gift_card, paid_with_points, discount, channel, location, name"
        " from transactions inner join sources using (source_no) order by transaction_id"
    ) == [
        ("A", 50, 100, 25, 75, 200, 300, 100, "web", "Main St", "till 7"),
        ("B", None, None, None, None, None, None, None, None, "5th Ave\nNew York", "default"),
    ]


BAD_ROWS = {
    ",C1,2026-10-05,1,,,,": "empty transaction_id",
    " ,C1,2026-10-05,1,,,,": "empty transaction_id",
    "A,,2026-10-05,1,,,,": "empty customer_id",
    f"{'x' * 201},C1,2026-10-05,1,,,,": "over-long field",
    f"A,C1,2026-10-05,1,{'s' * 101},,,": "over-long field",
    f"A,{'c' * 200_000},2026-10-05,1,,,,": "over-long field",
    f'A,"{"c" * 200_000}",2026-10-05,1,,,,': "over-long field",
    f"A,{'c' * 1_500_000},2026-10-05,1,,,,": "over-long field",
    "A,C1,2026-10-05,1,,return,,": "wrong kind",
    "A,C1,2026-10-05,1,,sale,,Z": "wrong kind: only a refund names an original",
    "A,C1,yesterday,1,,,,": "wrong date",
    "A,C1,,1,,,,": "wrong date",
    "A,C1,2026-02-29,1,,,,": "wrong date",
    "A,C1,1900-02-29,1,,,,": "wrong date",
    "A,C1,2026-13-01,1,,,,": "wrong date",
    "A,C1,10/05/2026,1,,,,": "wrong date",
    "A,C1,2026-10-05T25:00,1,,,,": "wrong date",
    "A,C1,2026-10-05T10:00:00+16:00,1,,,,": "wrong date",
    "A,C1,2026-10-05T10:00 Europe/Berlin,1,,,,": "wrong date",
    "A,C1,infinity,1,,,,": "wrong date",
    "A,C1,1989-12-31T23:59,1,,,,": "date before the programme starts",
    "A,C1,2026-12-02T12:30:00Z,1,,,,": "date more than a day ahead",
    "A,C1,2026-10-05,1,,,usd,": "wrong currency",
    "A,C1,2026-10-05,1,,,XXX,": "wrong currency",
    "A,C1,2026-10-05,1,,,EUR,": "no rate for that day",
    "A,C1,2026-10-05,,,,,": "wrong amount",
    "A,C1,2026-10-05,-1,,,,": "wrong amount",
    "A,C1,2026-10-05,+1,,,,": "wrong amount",
    "A,C1,2026-10-05,1.001,,,,": "wrong amount",
    "A,C1,2026-10-05,1e2,,,,": "wrong amount",
    'A,C1,2026-10-05,"1,000",,,,': "wrong amount",
    "A,C1,2026-10-05,$1,,,,": "wrong amount",
    "A,C1,2026-10-05,NaN,,,,": "wrong amount",
    "A,C1,2026-10-05,inf,,,,": "wrong amount",
    "A,C1,2026-10-05,1.,,,,": "wrong amount",
    "A,C1,2026-10-05,.5,,,,": "wrong amount",
    "A,C1,2026-10-05,99999999999999.00,,,,": "wrong amount",
    "A,C1,2026-10-05,1.5,,,JPY,": "wrong amount",
    "A,C1,2026-10-05,1,,,": "wrong number of columns",
    "A,C1,2026-10-05,1,,,,,": "wrong number of columns",
    'A,"C1"x,2026-10-05,1,,,,': "wrong quoting",
    'A,"C1,2026-10-05,1,,,,': "wrong quoting",
    "A,C\x001,2026-10-05,1,,,,": "control character",
    "A,C\t1,2026-10-05,1,,,,": "control character",
    "A,C\x7f1,2026-10-05,1,,,,": "control character",
    "A,C\x851,2026-10-05,1,,,,": "control character",
    "A,C\r1,2026-10-05,1,,,,": "control character",
}


def test_bad_rows_are_rejected_and_good_ones_load(shop: Any) -> None:
    """Law: the reason of each bad row is told with its line, in the order of the file; the rows around it load."""
    rows = [line for number, bad in enumerate(BAD_ROWS) for line in (bad, f"G{number:02},C9,2026-10-05,1.00,,,,")]
    result = shop.transactions("\n".join([FULL, *rows]))

    assert (result.read, result.loaded, result.unchanged) == (len(rows), len(BAD_ROWS), 0)
    assert (result.rejected, result.rejected_path) == (len(BAD_ROWS), shop.folder / "F.rejected.csv")
    assert shop.reasons() == [(2 + 2 * number, reason) for number, reason in enumerate(BAD_ROWS.values())]
    assert shop.ids() == [f"G{number:02}" for number in range(len(BAD_ROWS))]
    assert shop.rows("select customer_id from members") == [("C9",)]


@pytest.mark.parametrize("bad", ["", ",A,C1,never,1", ',A,C1,2026-10-05,1,"x'])
def test_a_quote_that_is_never_closed_costs_one_row(shop: Any, bad: str) -> None:
    """Law: a row whose quoted field has no end is rejected alone, wherever the next quote is; no row is lost."""
    rows = [f"T{n},C1,2026-10-05,{n}" for n in range(20)]
    rows[7] = f'"T7{bad}'
    rows += ['Q,"C2",2026-10-05,1', *(f"U{n},C2,2026-10-05,1" for n in range(20))]
    result = shop.transactions("\n".join([HEADER, *rows]))

    assert (result.read, result.loaded) == (41, 40)
    assert shop.reasons() == [(9, "wrong quoting")]
    assert len(shop.ids()) == 40


def test_nothing_loads_from_bad_rows_alone(shop: Any) -> None:
    """Law: when rows are there and none is good, the result says so, and no customer and no source is made."""
    result = shop.transactions("\n".join([FULL, *BAD_ROWS]))

    assert (result.loaded, result.rejected, result.nothing_loaded) == (0, len(BAD_ROWS), True)
    assert shop.rows("select (select count(*) from members), (select count(*) from sources)") == [(0, 0)]


def test_pieces_are_amounts(shop: Any) -> None:
    """Law: each piece is money; together they are no more than the amount, but for the discount, which only informs."""
    for piece in ("tax", "shipping", "tip", "fee", "gift_card", "paid_with_points", "discount"):
        shop.transactions(f"{HEADER},{piece}\nA,C1,2026-10-05,5,x\nB,C1,2026-10-05,5,-1\nC,C1,2026-10-05,5,5.01\n")

        above = [] if piece == "discount" else [(4, "wrong amount: its pieces are more than it")]
        assert shop.reasons() == [(2, f"wrong amount of {piece}"), (3, f"wrong amount of {piece}"), *above]
    result = shop.transactions(
        f"{HEADER},tax,tip,discount\nD,C1,2026-10-05,5,2.50,2.50,9\nE,C1,2026-10-05,5,2.50,2.51,\n"
    )
    assert (result.loaded, shop.reasons()) == (1, [(3, "wrong amount: its pieces are more than it")])


def test_rejected_rows_are_told_as_they_stood(shop: Any) -> None:
    """Law: F.rejected.csv has line, reason and the row; mended and given back, its rows load; then it is gone."""
    shop.transactions(
        f'Note,{HEADER}\n"a, ""b""",A,C1,yesterday,1\n\nfine,B,C1,2026-10-05,1\n"two\nlines",C,C1,2026-10-05,1\n'
        "x,D,C1,2026-10-05,1,2\ny,E,C1\nz,F\x00F,C1,2026-10-05,1\n,H,C1,2026-10-05,x\n".encode()
        + b"\xff,G,C1,2026-10-05,1\n"
    )

    assert shop.rejected() == [
        f"line,reason,Note,{HEADER}",
        '2,wrong date,"a, ""b""",A,C1,yesterday,1',
        "7,wrong number of columns,x,D,C1,2026-10-05,1,2",
        "8,wrong number of columns,y,E,C1",
        "9,control character,z,F\ufffdF,C1,2026-10-05,1",
        "10,wrong amount,,H,C1,2026-10-05,x",
        "11,broken UTF-8,\ufffd,G,C1,2026-10-05,1",
    ]
    assert shop.ids() == ["B", "C"]

    mended = shop.rejected()[1].replace("yesterday", "2026-10-05")
    result = shop.transactions(f"{shop.rejected()[0]}\n{mended}\n")
    assert (result.loaded, result.rejected, result.ignored) == (1, 0, ("Note",))
    assert not (shop.folder / "F.rejected.csv").exists()
    assert list(shop.folder.iterdir()) == [shop.folder / "F.csv"]


def test_the_same_again_changes_nothing(shop: Any) -> None:
    """Law: importing again is a success: every row is unchanged, refunds too, and no row or number is new."""
    content = (
        f"{FULL},tax,channel\nA,C1,2026-10-05,10,pos,sale,,,1,web\nR,C1,2026-10-06,4,pos,refund,,A,,\n"
        "U,C2,2026-10-06,4,pos,refund,USD,,,\n"
    )
    first = shop.transactions(content)
    before = shop.rows("select * from transactions order by transaction_no")
    again = shop.transactions(content.replace("10,pos", "10.00,pos").replace("2026-10-06,", "2026-10-06T04:00Z,"))

    assert (first.read, first.loaded, first.unchanged, first.rejected) == (3, 3, 0, 0)
    assert (again.read, again.loaded, again.unchanged, again.rejected) == (3, 0, 3, 0)
    assert shop.rows("select * from transactions order by transaction_no") == before


CHANGED = [
    "A,C2,2026-10-05,10,,,,,1,,web,Here",
    "A,C1,2026-10-05T00:00:01,10,,,,,1,,web,Here",
    "A,C1,2026-10-05,10.01,,,,,1,,web,Here",
    "A,C1,2026-10-05,10,,,EUR,,1,,web,Here",
    "A,C1,2026-10-05,10,,refund,,,1,,web,Here",
    "A,C1,2026-10-05,10,,,,,2,,web,Here",
    "A,C1,2026-10-05,10,,,,,,,web,Here",
    "A,C1,2026-10-05,10,,,,,1,1,web,Here",
    "A,C1,2026-10-05,10,,,,,1,,,Here",
    "A,C1,2026-10-05,10,,,,,1,,web,There",
    "A,C1,2026-10-05,10,,refund,,B,1,,web,Here",
]


def test_the_same_id_with_other_content_is_rejected(shop: Any) -> None:
    """Law: an id is recorded once, its first row; other content is refused, there and later, and enrols nobody."""
    header = f"{FULL},tax,tip,channel,location"
    shop.rates("date,currency,rate\n2026-10-05,EUR,1.1\n")
    good, sale = "A,C1,2026-10-05,10,,,,,1,,web,Here", "B,C1,2026-10-05,50,,,,,,,,"
    first = shop.transactions("\n".join([header, good, *CHANGED, sale, good]))
    expected = [(line, "same id with other content") for line in range(3, 3 + len(CHANGED))]
    assert (first.loaded, first.unchanged, shop.reasons()) == (2, 1, expected)
    before = shop.rows("select * from transactions order by transaction_no")

    for changed in CHANGED:
        again = shop.transactions(f"{header}\n{changed}\n")
        assert (again.loaded, again.unchanged, shop.reasons()) == (0, 0, [(2, "same id with other content")])
    assert shop.rows("select * from transactions order by transaction_no") == before
    assert shop.rows("select customer_id from members") == [("C1",)]


def test_an_id_belongs_to_its_source(shop: Any) -> None:
    """Law: the same id of two sources is two transactions; content is not identity: equal rows of two ids are two."""
    result = shop.transactions(
        f"{FULL}\nA,C1,2026-10-05,1,x,,,\nA,C1,2026-10-05,1,y,,,\nA,C1,2026-10-05,1,,,,\nB,C1,2026-10-05,1,x,,,\n"
    )
    assert (result.loaded, shop.ids()) == (4, ["A", "A", "A", "B"])


def test_refunds_find_their_sales(shop: Any) -> None:
    """Law: a refund keeps its sale's place and rate, before or after it in the file, also one of an earlier file."""
    shop.rates("date,currency,rate\n2026-10-05,EUR,1.1\n2026-10-09,EUR,3\n2026-10-05,JPY,0.0065\n")
    shop.transactions(f"{FULL}\nOLD,C1,2026-10-01,10,,,,\n")
    result = shop.transactions(
        f"{FULL}\nR1,C1,2026-10-09,4,,refund,EUR,A\nR2,C1,2026-10-09,10,,refund,,OLD\nA,C1,2026-10-05,10,,,EUR,\n"
        "J,C1,2026-10-05,1000,,,JPY,\nU,C1,2026-10-09,5,,refund,,\nR3,C1,2026-10-09,6,,refund,EUR,A\n"
    )

    assert (result.loaded, result.rejected) == (6, 0)
    assert shop.rows(
        "select t.transaction_id, s.transaction_id, t.sale_period, t.exchange_rate::float from transactions as t"
        " left join transactions as s on s.transaction_no = t.sale_no order by 1"
    ) == [
        ("A", None, None, 1.1),
        ("J", None, None, 0.65),
        ("OLD", None, None, None),
        ("R1", "A", OCTOBER, 1.1),
        ("R2", "OLD", OCTOBER, None),
        ("R3", "A", OCTOBER, 1.1),
        ("U", None, None, None),
    ]


def test_a_refund_without_a_currency_has_its_sale_s(shop: Any) -> None:
    """Law (3): a refund that names its sale and no currency is in the sale's, to that currency's last decimal, its sale
    before it, after it or in an earlier file; it is the same refund as one that names the currency.
    """  # fmt: skip
    rates = (f"2026-10-05,{currency},{rate}" for currency, rate in (("EUR", 2), ("JPY", "0.01"), ("KWD", 3)))
    shop.rates("\n".join(["date,currency,rate", *rates]))
    shop.transactions(f"{FULL}\nE,C1,2026-10-05,10,,,EUR,\n")
    header = f"{FULL},tax"
    refunds = (
        "RE,C1,2026-10-09,4.50,,refund,,E,0.50\n"
        "RJ,C1,2026-10-09,4.00,,refund,,J,1\n"
        "RK,C1,2026-10-09,4.125,,refund,,K,\n"
        "RU,C1,2026-10-09,4.99,,refund,,U,\n"
        "BJ,C1,2026-10-09,4.50,,refund,,J,\n"
        "BK,C1,2026-10-09,4.1255,,refund,,K,\n"
        "BE,C1,2026-10-09,1,,refund,,E,0.001\n"
        "BU,C1,2026-10-09,4.991,,refund,,U,\n"
        "BN,C1,2026-10-09,1,,refund,,N,\n"
    )
    sales = "J,C1,2026-10-05,10,,,JPY,,\nK,C1,2026-10-05,10,,,KWD,,\nU,C1,2026-10-05,10,,,,,"
    result = shop.transactions(f"{header}\n{refunds}{sales}")

    assert (result.loaded, shop.reasons()) == (
        7,
        [
            (6, "wrong amount"),
            (7, "wrong amount"),
            (8, "wrong amount of tax"),
            (9, "wrong amount"),
            (10, "unknown original"),
        ],
    )
    assert shop.rows(
        "select transaction_id, currency, amount, tax, exchange_rate::float from transactions"
        " where kind = 'refund' order by 1"
    ) == [
        ("RE", "EUR", 450, 50, 2.0),
        ("RJ", "JPY", 4, 1, 1.0),
        ("RK", "KWD", 4125, None, 0.3),
        ("RU", "USD", 499, None, None),
    ]
    for currency in ("", "EUR"):
        again = shop.transactions(f"{header}\nRE,C1,2026-10-09,4.50,,refund,{currency},E,0.50\n")
        assert (again.unchanged, again.rejected) == (1, 0)


def test_bad_refunds_are_rejected(shop: Any) -> None:
    """Law: a refund needs a known sale of the same customer and currency, and no sale is refunded above its amount."""
    shop.rates("date,currency,rate\n2026-10-05,EUR,1.1\n")
    result = shop.transactions(
        f"{FULL}\nA,C1,2026-10-05,10,x,,,\nR0,C1,2026-10-06,6,x,refund,,A\nN,C1,2026-10-06,1,x,refund,,Z\n"
        "O,C1,2026-10-06,1,y,refund,,A\nB,C2,2026-10-06,1,x,refund,,A\nE,C1,2026-10-06,1,x,refund,EUR,A\n"
        "M,C1,2026-10-08,4.01,x,refund,,A\nK,C1,2026-10-09,4,x,refund,,A\nL,C1,2026-10-09,0.01,x,refund,,A\n"
    )
    assert (result.loaded, result.rejected) == (3, 6)
    assert shop.reasons() == [
        (4, "unknown original"),
        (5, "unknown original"),
        (6, "original is another customer's sale"),
        (7, "wrong currency: not that of the original"),
        (8, "refund above its sale"),
        (10, "refund above its sale"),
    ]
    again = shop.transactions(f"{FULL}\nQ,C1,2026-10-06,1,x,refund,,R0\nS,C1,2026-10-06,0.5,x,refund,,A\n")
    assert (again.loaded, shop.reasons()) == (0, [(2, "original is a refund"), (3, "refund above its sale")])
    assert shop.ids() == ["A", "K", "R0"]
    assert shop.rows("select customer_id from members") == [("C1",)]


def test_a_row_whose_first_row_was_rejected_is_rejected_too(shop: Any) -> None:
    """Law: an id stands for its first good row; when that can't be recorded, no later one takes its place."""
    content = f"{FULL}\nR,C1,2026-10-06,1,,refund,,Z\nR,C1,2026-10-06,1,,refund,,A\nA,C1,2026-10-05,1,,,,\n"
    expected = [(2, "unknown original"), (3, "same id as a row that was rejected")]
    for _ in range(2):
        shop.transactions(content)
        assert (shop.reasons(), shop.ids()) == (expected, ["A"])


def test_order_within_a_file_does_not_matter(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: shuffled, and read in parts of any size, a file records the same rows and rejects the same."""
    rows = [f"S{n},C{n % 7},2026-10-{1 + n % 28:02},{n}.10,,,," for n in range(60)]
    rows += [f"R{n}a,C{n % 7},2026-11-{1 + n % 28:02},{n * 0.7:.2f},,refund,,S{n}" for n in range(60)]
    rows += [f"R{n}b,C{n % 7},2026-11-{1 + n % 27:02}T10:00,{n * 0.5:.2f},,refund,,S{n}" for n in range(60)]
    outcomes = []
    for seed, part in enumerate((1000, 50, 7, 1)):
        monkeypatch.setattr(parts, "PART_ROWS", part)
        monkeypatch.setattr("loyalty.db.imports.transactions.PART_ROWS", part)
        monkeypatch.setattr("loyalty.db.imports.csv_file.BLOCK_BYTES", 64)
        random.Random(seed).shuffle(rows)
        result = shop.transactions("\n".join([FULL, *rows]))
        bad = sorted(line.split(",")[1:3] for line in shop.rejected()[1:])
        outcomes.append((result.loaded, result.rejected, bad, shop.recorded(), shop.ids()))
        shop.execute("truncate transactions, transaction_keys")
    assert outcomes[0][0] + outcomes[0][1] == 180
    assert outcomes[0][1] > 0
    assert outcomes[1:] == [outcomes[0]] * 3


@pytest.mark.parametrize("state", ["closing", "closed"])
def test_late_rows_go_to_the_open_period(shop: Any, state: str) -> None:
    """Law: what occurred in or before a period that is closing or closed is booked to the earliest open one."""
    shop.execute("select ensure_period('2026-09-01'), ensure_period('2026-10-01')")
    shop.execute("update periods set state = 'closed' where period = '2026-09-01'")
    shop.execute("update periods set state = :state where period = '2026-10-01'", state=state)
    shop.transactions(
        f"{FULL}\nA,C1,2026-09-05,9,,,,\nB,C1,2026-10-05,9,,,,\nC,C1,2026-11-05,9,,,,\nD,C1,2026-12-01,9,,,,\n"
        "E,C1,2020-01-01,9,,,,\nR,C1,2026-10-06,1,,refund,,A\n"
    )
    booked = {row[0]: row[-1] for row in shop.recorded()}
    assert booked == {**dict.fromkeys("ABCER", NOVEMBER), "D": DECEMBER}
    assert shop.rows("select sale_period from transactions where transaction_id = 'R'") == [(NOVEMBER,)]

    shop.execute("update periods set state = 'closed' where period in ('2026-10-01', '2026-11-01')")
    again = shop.transactions(f"{HEADER}\nA,C1,2026-09-05,9\nL,C1,2026-09-05,9\n")
    assert (again.unchanged, again.loaded) == (1, 1)
    assert {row[0]: row[-1] for row in shop.recorded()} == {**booked, "L": DECEMBER}


def test_a_close_that_begins_meanwhile_moves_rows_on(shop: Any) -> None:
    """Law: an import that meets a period just closing waits for it, and books to the next one."""
    shop.execute("select ensure_period('2026-10-01')")
    with engine.connect() as closing:
        closing.execute(text("update periods set state = 'closing' where period = '2026-10-01'"))
        importing = threading.Thread(target=shop.transactions, args=(f"{HEADER}\nA,C1,2026-10-05,9\n",))
        importing.start()
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        while importing.is_alive() and shop.rows(waiting) == [(0,)]:
            time.sleep(0.01)
        closing.commit()
        importing.join()
    assert [row[-1] for row in shop.recorded()] == [NOVEMBER]


def test_a_close_waits_for_an_import(shop: Any) -> None:
    """Law: the periods that an import books to are held until it commits; nobody can begin to close them meanwhile."""
    free = "select period from periods order by period for no key update skip locked"
    shop.execute("select ensure_period('2026-09-01')")
    with engine.connect() as importing:
        assert hold_periods(importing, [OCTOBER, NOVEMBER]) is None
        assert shop.rows(free) == [(date(2026, 9, 1),)]
        importing.commit()
    assert shop.rows(free) == [(date(2026, 9, 1),), (OCTOBER,), (NOVEMBER,)]


def test_two_imports_at_once_record_each_row_once(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: overlapping files imported at the same time both succeed; every row, member and account is there once."""
    monkeypatch.setattr(parts, "PART_ROWS", 200)
    monkeypatch.setattr("loyalty.db.imports.csv_file.BLOCK_BYTES", 2048)
    rows = [f"T{n},C{n % 400},2026-10-{1 + n % 28:02},{n % 90}.00,,,," for n in range(3000)]
    rows += [f"R{n},C{n % 400},2026-11-05,{n % 90}.00,,refund,,T{n}" for n in range(0, 3000, 3)]
    results = []

    def load(name: str, mine: list[str]) -> None:
        results.append(shop.transactions("\n".join([FULL, *mine]), name))

    threads = []
    for name in ("one.csv", "two.csv"):
        random.Random(name).shuffle(rows)
        threads.append(threading.Thread(target=load, args=(name, list(rows))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [(result.read, result.rejected) for result in results] == [(4000, 0)] * 2
    assert sum(result.loaded for result in results) == 4000
    assert len(set(shop.ids())) == 4000
    assert shop.rows("select (select count(*) from members), (select count(*) from accounts)") == [(400, 400)]


def test_erased_members_stay_erased(shop: Any) -> None:
    """Law: a transaction can't bring back a person who was erased."""
    shop.members("customer_id\nC1\n")
    shop.execute("update members set erased_at = '2026-11-01Z'")
    for _ in range(2):
        shop.transactions(f"{HEADER}\nA,C1,2026-10-05,9\nB,C2,2026-10-05,9\n")
        assert (shop.reasons(), shop.ids()) == ([(2, "the member is erased")], ["B"])


def test_no_person_is_named_in_a_message(shop: Any) -> None:
    """Law: the planner and temporary tables see people's data, results and reasons never do."""
    result = shop.transactions(f"{HEADER}\nA,jane@example.com,never,9\n")
    assert "jane" not in repr(result)
    assert shop.reasons() == [(2, "wrong date")]

"""Corrections by import: a reversal and a replacement that name the old row, booked in the open period; once."""

import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from loyalty import monthly
from loyalty.db import members, verify
from loyalty.db.imports import ImportResult, import_transactions
from loyalty.rules.periods import parse_period

HEADER = "transaction_id,customer_id,occurred_at,amount,kind,original_transaction_id,tax,location\n"
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
BOOKS = (
    "select t.transaction_id, m.customer_id, t.kind, t.amount, t.booked_period, t.sale_period from transactions as t"
    " inner join members as m using (member_no) order by t.transaction_no"
)
ENTRIES = (
    "select m.customer_id, e.period, e.kind::text, e.cause::integer, e.points::integer from entries as e"
    " inner join members as m using (member_no) where e.period = :period order by e.entry_id"
)


def load(shop: Any, rows: str, name: str = "F.csv") -> ImportResult:
    """Import a file without corrections."""
    result: ImportResult = import_transactions(shop.write(HEADER + rows, name))
    return result


def correct(shop: Any, rows: str) -> ImportResult:
    """Import a file of corrections, and again, which must change nothing."""
    path: Path = shop.write(HEADER + rows)
    result = import_transactions(path, correct=True)
    before = shop.rows(BOOKS)
    again = import_transactions(path, correct=True)
    assert (again.loaded, again.corrected, again.rejected) == (0, 0, result.rejected)
    assert shop.rows(BOOKS) == before
    return result


def close(shop: Any, monkeypatch: pytest.MonkeyPatch, period: str = "2026-10") -> None:
    """Close a month; the clock stands where it has ended."""
    monkeypatch.setenv("LOYALTY_CLOCK", "2027-03-01T12:00:00Z")
    monthly.close_month(parse_period(period), monthly.Terms(notify=False))


def sound() -> bool:
    """Whether every check holds."""
    return all(check.holds for check in verify.verify())


def test_what_differs_is_reversed_and_replaced(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: the old row stays; its reversal and its replacement are booked in the open month and stand in its place.

    What is the same is unchanged, what is unknown is new, and without --correct the old row stands.
    """
    load(shop, "A,C1,2026-10-05,100,,,,\nB,C1,2026-10-06,50,,,,\n")
    close(shop, monkeypatch)
    rows = "A,C1,2026-10-05,80,,,,\nB,C1,2026-10-06,50,,,,\nN,C1,2026-11-02,10,,,,\n"
    plain = load(shop, rows, "plain.csv")
    result = correct(shop, rows)
    close(shop, monkeypatch, "2026-11")

    assert (plain.loaded, plain.unchanged, plain.rejected) == (1, 1, 1)
    assert (result.loaded, result.corrected, result.unchanged, result.rejected) == (1, 1, 2, 0)
    assert shop.rows(BOOKS) == [
        ("A", "C1", "sale", 10000, OCTOBER, None),
        ("B", "C1", "sale", 5000, OCTOBER, None),
        ("N", "C1", "sale", 1000, NOVEMBER, None),
        ("A", "C1", "sale_reversal", 10000, NOVEMBER, OCTOBER),
        ("A", "C1", "sale", 8000, NOVEMBER, OCTOBER),
    ]
    assert shop.rows(ENTRIES, period=NOVEMBER) == [
        ("C1", NOVEMBER, "take_back", 202610, -2),
        ("C1", NOVEMBER, "earn", 0, 1),
    ]
    assert sound()


def test_what_is_right_already_is_not_moved(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: a correction of no money posts nothing, and no lot gets another date, also where nothing is left of it."""
    load(shop, "A,C1,2026-10-05,100,,,,here\n")
    close(shop, monkeypatch)
    result = correct(shop, "A,C1,2026-10-05,100,,,,there\n")
    close(shop, monkeypatch, "2026-11")

    assert result.corrected == 1
    assert shop.rows(ENTRIES, period=NOVEMBER) == []
    assert shop.rows("select period, points, remaining from lots") == [(OCTOBER, 10, 10)]
    assert sound()


def test_what_a_correction_adds_is_posted_with_the_months_own(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: more points than before are one credit with those of the open month, and trace back to their rows."""
    load(shop, "A,C1,2026-10-05,100,,,,\n")
    close(shop, monkeypatch)
    correct(shop, "A,C1,2026-10-05,130,,,,\nN,C1,2026-11-02,25,,,,\n")
    close(shop, monkeypatch, "2026-11")
    _, why = members.read_why("C1", datetime(2027, 1, 1, tzinfo=UTC))

    assert shop.rows(ENTRIES, period=NOVEMBER) == [("C1", NOVEMBER, "earn", 0, 5)]
    credit = why.causes[-1]
    assert [row["transaction_id"] for row in credit.transactions] == ["A", "A", "N"]
    assert [row["kind"] for row in credit.transactions] == ["sale_reversal", "sale", "sale"]
    assert (credit.exact_before, credit.exact_after) == (10, 15.5)
    assert sound()


def test_a_correction_is_corrected(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: the replacement is the row that the next correction names; the history is kept."""
    load(shop, "A,C1,2026-10-05,100,,,,\n")
    close(shop, monkeypatch)
    correct(shop, "A,C1,2026-10-05,80,,,,\n")
    close(shop, monkeypatch, "2026-11")
    correct(shop, "A,C1,2026-10-05,100,,,,\n")
    close(shop, monkeypatch, "2026-12")

    assert shop.rows("select kind, amount from transactions order by transaction_no") == [
        ("sale", 10000),
        ("sale_reversal", 10000),
        ("sale", 8000),
        ("sale_reversal", 8000),
        ("sale", 10000),
    ]
    assert shop.rows("select count(*) from corrections") == [(2,)]
    assert shop.rows("select balance from accounts") == [(10,)]
    assert sound()


def test_an_open_months_row_is_corrected_in_its_month(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: while its month is open, only what is right counts there."""
    load(shop, "A,C1,2026-10-05,100,,,,\n")
    correct(shop, "A,C1,2026-11-05,80,,,,\n")
    close(shop, monkeypatch)
    close(shop, monkeypatch, "2026-11")

    assert shop.rows("select period, spend, points_earned, transactions from statements order by period") == [
        (OCTOBER, 0, 0, 2),
        (NOVEMBER, 8000, 8, 1),
    ]
    assert sound()


def test_refunds_go_along_with_their_sale(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: refunds of a corrected sale are its replacement's, at its share, and of its customer; a later one too."""
    load(shop, "A,C1,2026-10-05,110,,,,\nR,C1,2026-10-06,22,refund,A,,\n")
    close(shop, monkeypatch)
    correct(shop, "A,C2,2026-10-05,110,,,10,\n")
    load(shop, "Q,C2,2026-11-06,11,refund,A,,\n")
    close(shop, monkeypatch, "2026-11")

    assert shop.rows(
        "select m.customer_id, e.kind::text, e.points::integer from entries as e"
        " inner join members as m using (member_no) where e.period = :period order by m.customer_id, e.entry_id",
        period=NOVEMBER,
    ) == [("C1", "take_back", -8), ("C2", "earn", 7)]
    assert shop.rows(
        "select transaction_id, customer_id, t.kind from transaction_keys inner join members using (member_no)"
        " inner join transactions as t using (booked_period, member_no, transaction_no, transaction_id) order by 1"
    ) == [("A", "C2", "sale"), ("Q", "C2", "refund"), ("R", "C2", "refund")]
    assert sound()


SMALLER = ("A,C1,2026-10-05,50,,,,\n", "R,C1,2026-10-06,20,refund,A,,\n")


@pytest.mark.parametrize("rows", [SMALLER, SMALLER[::-1]])
def test_a_sale_and_its_refunds_shrink_together(shop: Any, rows: tuple[str, str]) -> None:
    """Law: in one file, whatever its order, a sale may become smaller than what was refunded if the refunds do too."""
    load(shop, "A,C1,2026-10-05,100,,,,\nR,C1,2026-10-06,60,refund,A,,\n")
    result = correct(shop, "".join(rows))

    assert (result.corrected, result.rejected) == (2, 0)
    assert sound()


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        ("A,C1,2026-10-05,50,,,,\n", ["sale below its refunds"]),
        ("A,C1,2026-10-05,100,refund,,,\n", ["it has refunds, so it must stay a sale"]),
        ("R,C1,2026-10-06,101,refund,A,,\n", ["refund above its sale"]),
        ("R,C2,2026-10-06,60,refund,A,,\n", ["original is another customer's sale"]),
        ("R,C1,2026-10-06,60,refund,Z,,\n", ["unknown original"]),
        ("B,C1,2026-10-07,5,refund,B,,\n", ["original is a refund"]),
        ("B,C1,2026-10-07,5,,,6,\n", ["wrong amount: its pieces are more than it"]),
        ("B,C1,2026-10-07,6,,,,\nB,C1,2026-10-07,7,,,,\n", ["same id with other content"]),
    ],
)
def test_what_can_not_be_is_rejected(shop: Any, rows: str, reasons: list[str]) -> None:
    """Law: a correction that its refunds or its own words don't allow is rejected, with its reason."""
    load(shop, "A,C1,2026-10-05,100,,,,\nR,C1,2026-10-06,60,refund,A,,\nB,C1,2026-10-07,5,,,,\n")
    correct(shop, rows)

    assert [reason for _, reason in shop.reasons()] == reasons
    assert shop.rows("select count(*) from transactions where transaction_id in ('A', 'R')") == [(2,)]
    assert sound()


def test_a_refund_is_corrected_by_what_it_adds(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: of the room under its sale a corrected refund takes only more; given back, it is a credit."""
    load(shop, "A,C1,2026-10-05,100,,,,\nR,C1,2026-10-06,60,refund,A,,\nQ,C1,2026-10-07,40,refund,A,,\n")
    close(shop, monkeypatch)
    result = correct(shop, "Q,C1,2026-10-07,50,refund,A,,\nR,C1,2026-10-06,30,refund,A,,\n")
    close(shop, monkeypatch, "2026-11")

    assert (result.corrected, result.rejected) == (2, 0)
    assert shop.rows(ENTRIES, period=NOVEMBER) == [("C1", NOVEMBER, "earn", 0, 2)]
    assert sound()


def test_an_erased_members_row_is_left_alone(shop: Any) -> None:
    """Law: nothing is booked for a person who was erased, neither taken nor given."""
    load(shop, "A,C1,2026-10-05,100,,,,\n")
    shop.execute("update members set erased_at = '2026-11-01' where customer_id = 'C1'")
    correct(shop, "A,C2,2026-10-05,100,,,,\n")

    assert [reason for _, reason in shop.reasons()] == ["the member is erased"]


def test_two_who_correct_the_same_row_correct_it_once(shop: Any) -> None:
    """Law: the same corrections imported twice at one moment are recorded once."""
    many = range(40)
    load(shop, "".join(f"A{n},C{n % 7},2026-10-05,100,,,,\n" for n in many))
    path = shop.write(HEADER + "".join(f"A{n},C{n % 7},2026-10-05,90,,,,\n" for n in many))
    results: list[ImportResult] = []
    both = [threading.Thread(target=lambda: results.append(import_transactions(path, correct=True))) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()

    assert sorted(result.corrected for result in results) == [0, 40]
    assert sorted(result.unchanged for result in results) == [0, 40]
    assert sound()

"""`loyalty export`: the columns, the order, and the same bytes for the same data."""

import csv
import io
import random
from pathlib import Path

import pytest

from tests.cli.conftest import ROWS, Loyalty

STATEMENTS = (
    "period,customer_id,opening_balance,transactions,spend,points_earned,points_redeemed,points_expired,"
    "points_adjusted,closing_balance,qualifying_points,tier_before,tier_after,review"
)
ENTRIES = "entry_id,customer_id,kind,points,occurred_at,recorded_at,period,source,reference,expires_at,reason"
ODD_IDS = ("Zoe", "zoe", "Äbel", "a,b", 'say "hi"', "10", "9", "é", "z z")


def test_statements_have_the_columns_that_were_promised(two_months: Loyalty) -> None:
    """Law: the header, the order by customer, money in major units, lines ended by a line feed."""
    done = two_months("export", "statements", "2026-01")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"{STATEMENTS}\n"
        "2026-01,ann,0,1,300.00,30,0,0,0,30,30,Bronze,Bronze,none\n"
        "2026-01,bob,0,1,2600.00,260,0,0,0,260,260,Bronze,Bronze,pending\n"
        "2026-01,cyd,0,1,0.95,0,0,0,0,0,0,Bronze,Bronze,none\n"
    )


def test_entries_have_the_columns_that_were_promised(two_months: Loyalty) -> None:
    """Law: one line an entry, in order, times in UTC, with what posted it and what it is about."""
    rows = list(csv.DictReader(io.StringIO(two_months("export", "entries").out)))
    assert ",".join(rows[0]) == ENTRIES
    assert [row["entry_id"] for row in rows] == sorted((row["entry_id"] for row in rows), key=int)
    shown = ("customer_id", "kind", "points", "occurred_at", "period", "source", "reference", "expires_at", "reason")
    lasts = "2027-02-01T00:00:00Z"
    assert [tuple(row[name] for name in shown) for row in rows] == [
        ("ann", "earn", "30", "2026-02-01T00:00:00Z", "2026-01", "close", "2026-01", lasts, ""),
        ("bob", "earn", "260", "2026-02-01T00:00:00Z", "2026-01", "close", "2026-01", lasts, ""),
        ("ann", "take_back", "-10", "2026-03-01T00:00:00Z", "2026-02", "close", "2026-01", "", ""),
    ]


def test_a_month_that_is_not_closed_has_no_statements(two_months: Loyalty, tmp_path: Path) -> None:
    """Law: an open month is refused in a line, and no file is made of it."""
    out = tmp_path / "march.csv"
    done = two_months("export", "statements", "2026-03", "--out", out)
    told = "2026-03 is not closed and has no statements yet: `loyalty close 2026-03` makes them"
    assert (done.code, done.out, done.err, list(tmp_path.glob("*march*"))) == (1, "", f"loyalty: {told}\n", [])


def test_a_month_before_the_first_closed_one_is_empty(two_months: Loyalty) -> None:
    """Law: periods before the first closed one count as closed: nobody had anything to state."""
    assert two_months("export", "statements", "2025-12").out == f"{STATEMENTS}\n"


def test_a_file_is_what_the_terminal_shows(two_months: Loyalty, tmp_path: Path) -> None:
    """Law: --out writes the same bytes, over an older file, and prints nothing."""
    out = tmp_path / "entries.csv"
    out.write_text("old")
    done = two_months("export", "entries", "--out", out)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert out.read_text() == two_months("export", "entries").out
    assert [path.name for path in tmp_path.glob("*entries*")] == ["entries.csv"]


def test_an_output_that_cannot_be_written_is_one_line(two_months: Loyalty, tmp_path: Path) -> None:
    """Law: a path that can't be written is told, exit 1."""
    done = two_months("export", "entries", "--out", tmp_path / "no" / "entries.csv")
    told = f"{tmp_path / 'no' / 'entries.csv'} can't be written: No such file or directory"
    assert (done.code, done.out, done.err) == (1, "", f"loyalty: {told}\n")


def test_the_same_data_give_the_same_bytes(
    loyalty: Loyalty, monkeypatch: pytest.MonkeyPatch, another_database: str, tmp_path: Path
) -> None:
    """Law: two databases loaded in different orders export equal statements, in byte order of the customers' ids."""
    sales = [
        f'S{n},"{who.replace(chr(34), chr(34) * 2)}",2026-01-0{n + 1}T10:00:00Z,{n}9.9{n},sale,'
        for n, who in enumerate(ODD_IDS)
    ]
    exports = []
    for seed, url in enumerate((None, another_database)):
        if url:
            monkeypatch.setenv("LOYALTY_DATABASE_URL", url)
        lines = ROWS.splitlines()[1:] + sales
        random.Random(seed).shuffle(lines)
        file = tmp_path / "rows.csv"
        file.write_text("\n".join([ROWS.splitlines()[0], *lines, ""]), encoding="utf-8")
        assert (loyalty("migrate").code, loyalty("import", "transactions", file).code) == (0, 0)
        assert loyalty("backfill", "2026-01", "2026-02").code == 0
        exports.append([loyalty("export", "statements", month).out for month in ("2026-01", "2026-02")])
    assert exports[0] == exports[1]
    shown = [row["customer_id"] for row in csv.DictReader(io.StringIO(exports[0][0]))]
    assert shown == sorted({"ann", "bob", "cyd", *ODD_IDS}, key=str.encode)

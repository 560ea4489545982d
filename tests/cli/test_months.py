"""`loyalty import`, `close`, `backfill`, `expire`, `notify`, `reviews`, `report`, `verify`."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from loyalty.db import engine
from tests.cli.conftest import ROWS, Loyalty

DIRECTLY = "no Prefect server answers: the steps run here, without a record in its UI\n"


def test_an_import_counts_and_again_changes_nothing(programme: Loyalty, rows: Path) -> None:
    """Law: an import says what it did; the same file again loads nothing, and is a success."""
    first = json.loads(programme("import", "transactions", rows, "--json").out)
    assert {name: first[name] for name in ("read", "loaded", "unchanged", "rejected")} == {
        "read": 5,
        "loaded": 5,
        "unchanged": 0,
        "rejected": 0,
    }
    again = programme("import", "transactions", rows)
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith("nothing new, 5 unchanged (5 rows in ")


def test_rejected_rows_are_counted_on_stderr(programme: Loyalty, rows: Path) -> None:
    """Law: bad rows don't stop good ones: exit 0, and one line on stderr says how many and where; 1 if all are bad."""
    rows.write_text(ROWS + "T6,dan,2026-01-07T10:00:00Z,much,sale,\n")
    rejected = rows.with_name("rows.rejected.csv")
    told = f"loyalty: 1 rows rejected, with reasons in {rejected}\n"
    done = programme("import", "transactions", rows)
    assert (done.code, done.err, rejected.is_file()) == (0, told, True)
    rows.write_text(ROWS.splitlines()[0] + "\nT6,dan,2026-01-07T10:00:00Z,much,sale,\n")
    assert programme("import", "transactions", rows).code == 1


def test_a_file_that_is_not_there_is_one_line(programme: Loyalty, tmp_path: Path) -> None:
    """Law: nothing is loaded from a file that can't be read, and its name is told."""
    done = programme("import", "members", tmp_path / "no.csv")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "no.csv" in done.err


def test_months_close_in_order(programme: Loyalty, rows: Path) -> None:
    """Law: out of order and not ended are refused, naming the month; closing again says unchanged."""
    programme("import", "transactions", rows)
    early = programme("close", "2026-02")
    assert (early.code, early.out, early.err) == (
        1,
        "",
        "loyalty: 2026-01 is still open: close it before 2026-02\n",
    )
    done = programme("close", "2026-01")
    assert (done.code, done.out, done.err) == (0, "2026-01 closed\n", DIRECTLY)
    again = programme("close", "2026-01")
    assert (again.code, again.out) == (0, "2026-01 is closed already: unchanged\n")
    assert programme("close", "2026-02").code == 0
    going_on = programme("close", "2026-03")
    assert (going_on.code, going_on.out, going_on.err) == (
        1,
        "",
        "loyalty: 2026-03 has not ended by the programme clock: it can be simulated, not closed\n",
    )


def test_a_backfill_again_says_unchanged(two_months: Loyalty) -> None:
    """Law: closed months stay as they are, and the backfill says so."""
    done = two_months("backfill", "2026-01", "2026-02")
    assert (done.code, done.out) == (0, "2026-01 to 2026-02: unchanged\n")


def test_a_simulation_leaves_nothing_behind(programme: Loyalty, rows: Path, tmp_path: Path) -> None:
    """Law: an open month is simulated, under candidate rules too, and what is exported stays the same to the byte."""
    programme("import", "transactions", rows)
    candidate = tmp_path / "rules.toml"
    candidate.write_text("rate = 1\n")
    before = programme("export", "entries").out, programme("rules", "show").out
    plain = programme("close", "2026-01", "--simulate")
    assert plain.out.startswith("2026-01 simulated under rules version 1, in force; nothing was changed\n")
    under = json.loads(programme("close", "2026-01", "--simulate", "--rules", candidate, "--json").out)
    assert (under["period"], under["candidate"], under["points"]) == ("2026-01", True, 2900)
    assert (programme("export", "entries").out, programme("rules", "show").out) == before


def test_a_held_upgrade_is_decided_once(two_months: Loyalty) -> None:
    """Law: an upgrade waits for a manager; approved, it moves the member and brings its voucher, once."""
    waiting = json.loads(two_months("reviews", "list", "--json").out)
    assert [(row["customer_id"], row["to_tier"], row["spend"]) for row in waiting] == [("bob", "Gold", "2600.00")]
    number = str(waiting[0]["review_no"])
    assert " bob " in two_months("reviews", "list").out
    done = two_months("reviews", "approve", number, "--by", "mia")
    assert (done.code, done.out) == (0, f"review {number} of member 2 for 2026-01 approved\n")
    again = two_months("reviews", "reject", number, "--by", "mia", "--note", "no")
    assert (again.code, again.out, again.err) == (1, "", f"loyalty: review {number} is approved already, by mia\n")
    bob = json.loads(two_months("member", "bob", "--json").out)
    assert (bob["tier"], [voucher["tier"] for voucher in bob["vouchers"]]) == ("Gold", ["Gold"])
    assert two_months("reviews", "list").out == "there are no reviews that wait\n"
    assert two_months("reviews", "list", "--state", "approved").out.count("\n") == 2
    exported = two_months("export", "statements", "2026-01").out
    assert [line[-9:] for line in exported.splitlines() if ",bob," in line] == [",approved"]


def test_a_review_that_is_not_there_is_one_line(two_months: Loyalty) -> None:
    """Law: a number that is none is told, exit 1, and nothing is decided."""
    done = two_months("reviews", "approve", "99", "--by", "mia")
    assert (done.code, done.out, done.err) == (1, "", "loyalty: there is no review 99: see `loyalty reviews list`\n")


def test_the_daily_commands_work_and_say_what_they_did(two_months: Loyalty) -> None:
    """Law: expire and notify succeed on a programme with nothing due, and count what they did."""
    assert two_months("expire").out.startswith("0 lots with 0 points and 0 vouchers expired")
    assert two_months("expire", "--as-of", "2027-02-01").out.startswith("2 lots with 280 points")
    assert two_months("notify").code == 0


def test_a_report_is_one_file(two_months: Loyalty, tmp_path: Path) -> None:
    """Law: report writes the HTML of a closed month where it is told, prints where, and refuses a month without one."""
    out = tmp_path / "january.html"
    done = two_months("report", "2026-01", "--out", out)
    assert (done.code, done.out, done.err) == (0, f"{out}\n", "")
    assert "</html>" in out.read_text(encoding="utf-8")
    missing = two_months("report", "2026-03")
    assert (missing.code, missing.err) == (
        1,
        "loyalty: there is no report of 2026-03 yet: closing the month makes it\n",
    )
    own = Path(two_months("report", "2026-02").out.strip())
    assert own.parts[-2:] == ("reports", "loyalty-2026-02.html")
    assert own.read_text(encoding="utf-8") != out.read_text(encoding="utf-8")


def test_verify_shows_what_is_wrong(two_months: Loyalty) -> None:
    """Law: sound books verify with exit 0; a spoilt row makes exit 1, the check's name and the row itself."""
    sound = two_months("verify")
    assert (sound.code, sound.err) == (0, "")
    assert sound.out.splitlines()[-1].endswith(" checks hold")
    with engine.transaction() as connection:
        connection.execute(text("update accounts set balance = 4711 where balance = 260"))
    spoilt = two_months("verify")
    assert spoilt.code == 1
    assert spoilt.err.startswith("loyalty: 2 of ")
    assert "balances_are_the_sums_of_entries" in spoilt.err
    assert "FAILED  balances_are_the_sums_of_entries: 1 row" in spoilt.out
    assert "4,711" in spoilt.out
    told = two_months("verify", "--json")
    failed = {check["name"]: check["rows"] for check in json.loads(told.out)["checks"] if not check["holds"]}
    assert (told.code, failed["balances_are_the_sums_of_entries"]) == (
        1,
        [{"member_no": 2, "balance": 4711, "sum_of_entries": "260"}],
    )


@pytest.mark.parametrize("typed", ["close 2026-01", "verify", "export entries"])
def test_a_database_that_does_not_answer_is_one_line(
    command: Loyalty, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    """Law: a server that can't be reached is told in one line, without the password."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", "postgresql://me:geheim@127.0.0.1:1/loyalty")
    done = command(*typed.split())
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith("loyalty: the database can't be reached")
    assert "geheim" not in done.err

"""Personal data stay with the member: no address or name comes into what is computed, logged or refused."""

import csv
import logging
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from loyalty.db.engine import connect
from loyalty.db.imports import import_members
from loyalty.errors import LoyaltyError
from loyalty.messages import delivery
from tests.laws import shop
from tests.laws.product import Product

FIRST, LAST, BIRTHDAY = "Zaphodia", "Quetzalcoatlus", "1971-07-17"
NOW = shop.FEBRUARY_CLOSED_AT
PERSONAL = re.compile(f"{FIRST}|{LAST}|beeble|example[.]org|555-?0199|5550199|{BIRTHDAY}", re.IGNORECASE)
MEMBERS = ("email", "phone", "first_name", "last_name", "birthday")  # the one table that may hold them


def test_personal_data_stay_in_the_members_table(
    small_shop: Product, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """After imports, closes, decisions and delivery no other tables hold a word of them, nor does a log."""
    caplog.set_level(logging.DEBUG)
    small_shop.tell_time(NOW)
    import_members(people(small_shop.folder))
    small_shop.close("2026-02", now=NOW)
    review = small_shop.read("reviews")[0]
    small_shop.decide(review["customer_id"], "Platinum", True, by="ann", note="well", now=NOW + timedelta(days=1))
    small_shop.close("2026-03", now=NOW + timedelta(days=31))
    small_shop.expire(NOW + timedelta(days=32))
    delivered = delivery.deliver(NOW + timedelta(days=32, hours=12))
    out, err = capfd.readouterr()

    assert delivered.sent > 0
    assert found_in_tables() == {"members", "identifiers"}
    assert [
        line for line in [*caplog.text.splitlines(), *out.splitlines(), *err.splitlines()] if PERSONAL.search(line)
    ] == []


def test_a_refused_row_is_told_without_its_words(small_shop: Product, tmp_path: Path) -> None:
    """The reasons of rejected rows, and the errors of unreadable files, repeat nothing of what stands in them."""
    small_shop.tell_time(NOW)
    told = []
    for line in bad_rows():
        file = tmp_path / "bad.csv"
        file.write_text(f"customer_id,email,phone,first_name,last_name,birthday\n{line}\n", encoding="utf-8")
        try:
            result = import_members(file)
        except LoyaltyError as error:
            told.append(str(error))
            continue
        if result.rejected_path is not None:
            with result.rejected_path.open(encoding="utf-8", newline="") as rejected:
                told += [row["reason"] for row in csv.DictReader(rejected)]

    assert len(told) == len(bad_rows())
    assert [reason for reason in told if PERSONAL.search(reason)] == []


def people(folder: Path) -> Path:
    """A file of the shop's members with striking personal data, all of whom want to hear from us."""
    header = ["customer_id", *MEMBERS, "email_consent", "sms_consent"]
    rows = [
        [f"C{n:02}", f"beeble{n}@example.org", "+1 212 555 0199", FIRST, LAST, BIRTHDAY, "true", "true"]
        for n in range(1, shop.MEMBERS + 1)
    ]
    file = folder / "people.csv"
    with file.open("w", encoding="utf-8", newline="") as output:
        csv.writer(output).writerows([header, *rows])
    return file


def bad_rows() -> list[str]:
    """Members that can't be taken, each for another reason."""
    good = f"beeble@example.org,+12125550199,{FIRST},{LAST},{BIRTHDAY}"
    return [
        f",{good}",
        f"C1,{good},more",
        f"C1,{'beeble' * 60}@example.org,,,,",
        f"C1,,{'5550199' * 9},,,",
        f"C1,,,{FIRST * 30},,",
        f"C1,,,,{LAST * 30},",
        f"C1,,,{FIRST},{LAST},{BIRTHDAY}-{LAST}",
    ]


def found_in_tables() -> set[str]:
    """The tables of which some row, written out, shows personal data."""
    with connect() as connection:
        names = connection.scalars(
            text("select relname from pg_class where relnamespace = 'loyalty'::regnamespace and relkind in ('r', 'p')")
        ).all()
        return {
            name
            for name in names
            if any(PERSONAL.search(row) for row in connection.scalars(text(f"select t::text from loyalty.{name} as t")))
        }

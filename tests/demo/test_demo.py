"""The demo's data."""

import re
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import URL, text

from loyalty import clock
from loyalty.db.engine import connect
from loyalty.db.imports import import_transactions
from loyalty.db.programme import set_up
from loyalty.demo.complete_journey import ZONE, write_files
from loyalty.demo.load import load
from loyalty.errors import Refused

REMEDY = "give the demo a LOYALTY_HOME of its own"
FICTIONAL = re.compile(r"\+1[2-9][0-9]{2}55501[0-9]{2}")


@pytest.fixture
def in_new_york(database: URL, monkeypatch: pytest.MonkeyPatch) -> URL:
    """An empty database, to be a programme in New York in January 2018."""
    monkeypatch.setenv("LOYALTY_TIME_ZONE", ZONE)
    monkeypatch.setenv("LOYALTY_CLOCK", "2018-01-02T10:00:00-05:00")
    return database


def test_the_files_hold_the_grocers_year(tmp_path: Path) -> None:
    """Law: every basket once, all of 2017 in New York; people who can't exist; the same bytes each time."""
    members_file, baskets_file = write_files(tmp_path / "one")
    again = write_files(tmp_path / "two")
    members, baskets = pd.read_csv(members_file), pd.read_csv(baskets_file)
    local = pd.to_datetime(baskets["occurred_at"]).dt.tz_convert(ZONE)

    assert (len(members), len(baskets)) == (2469, 155848)
    assert baskets["transaction_id"].is_unique
    assert set(baskets["customer_id"]) == set(members["customer_id"])
    assert set(local.dt.year) == {2017}
    assert baskets["amount"].min() == 0
    assert members["email"].str.endswith("@example.com").all()
    assert all(FICTIONAL.fullmatch(f"+{phone}") for phone in members["phone"])
    assert set(members["language"]) == {"en", "es"}
    assert [path.read_bytes() for path in again] == [members_file.read_bytes(), baskets_file.read_bytes()]


def test_loading_again_changes_nothing(in_new_york: URL) -> None:
    """Law: the demo is loaded once, however often it is asked for."""
    first, second = load(), load()

    assert (first.members.loaded, first.transactions.loaded, first.was_there) == (2469, 155848, False)
    assert (second.members.unchanged, second.transactions.unchanged, second.was_there) == (2469, 155848, True)
    with connect() as connection:
        total = connection.execute(text("select sum(amount) from loyalty.transactions")).scalar_one()
    assert total == 459_603_958  # the cents of all lines of all receipts


def test_the_demo_does_not_mix_with_anybodys_data(in_new_york: URL, tmp_path: Path) -> None:
    """Law: a database that holds more than the demo is refused, before anything is written to it."""
    with connect() as connection:
        set_up(connection, at=clock.now())
    file = tmp_path / "t.csv"
    file.write_text("transaction_id,customer_id,occurred_at,amount\nT1,C1,2017-01-10T12:00:00Z,10.00\n")
    assert import_transactions(file).loaded == 1

    with pytest.raises(Refused) as caught:
        load()
    assert (
        str(caught.value) == "this database holds other data than the demo's: give the demo a LOYALTY_HOME of its own"
    )
    with connect() as connection:
        assert connection.execute(text("select count(*) from loyalty.members")).scalar_one() == 1

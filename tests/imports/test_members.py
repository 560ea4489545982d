"""Members and exchange rates from CSV."""

from datetime import date
from typing import Any

COLUMNS = "customer_id,email,phone,first_name,last_name,birthday,joined_on,time_zone,language,email_consent,sms_consent"


def stored(shop: Any) -> list[tuple[Any, ...]]:
    """Every member as it is stored."""
    rows: list[tuple[Any, ...]] = shop.rows(f"select {COLUMNS} from members order by customer_id")
    return rows


def test_members_are_enrolled_and_changed(shop: Any) -> None:
    """Law: a member is known by customer_id; a column that is left out or empty leaves what is stored."""
    first = shop.members(
        f"{COLUMNS}\nC1,jo@example.com,+1 555 0100,Jo,Doe,1990-02-28,2020-01-01,America/New_York,en-US,true,0\n"
        "C2,,,,,,,,,YES,no\nC3,,,,,,,,,,\n"
    )
    assert (first.read, first.loaded, first.unchanged, first.rejected) == (3, 3, 0, 0)
    jo = (
        "jo@example.com",
        "+1 555 0100",
        "Jo",
        "Doe",
        date(1990, 2, 28),
        date(2020, 1, 1),
        "America/New_York",
        "en-US",
    )
    nothing = (None,) * 8
    assert stored(shop) == [("C1", *jo, True, False), ("C2", *nothing, True, False), ("C3", *nothing, False, False)]
    assert shop.rows("select count(*) from accounts") == [(3,)]

    second = shop.members("sms_consent,email,customer_id\n1,,C1\n,c2@example.com,C2\n,,C3\n,,C4\n")
    assert (second.loaded, second.unchanged) == (3, 1)
    assert stored(shop) == [
        ("C1", *jo, True, True),
        ("C2", "c2@example.com", *nothing[1:], True, False),
        ("C3", *nothing, False, False),
        ("C4", *nothing, False, False),
    ]
    third = shop.members("sms_consent,email,customer_id\n1,,C1\n,c2@example.com,C2\n")
    assert (third.loaded, third.unchanged) == (0, 2)


def test_rows_of_one_customer_are_taken_in_order(shop: Any) -> None:
    """Law: of several rows of a customer each column keeps the last value given, customer known or not."""
    content = "customer_id,first_name,last_name,email_consent\nC1,A,,1\nC1,B,X,\nC2,Z,,\nC1,,Y,0\n"
    first = shop.members(content)
    assert (first.read, first.loaded, first.unchanged) == (4, 4, 0)
    expected = [("C1", "B", "Y", False), ("C2", "Z", None, False)]
    query = "select customer_id, first_name, last_name, email_consent from members order by 1"
    assert shop.rows(query) == expected
    again = shop.members(content)
    assert (again.loaded, again.unchanged, shop.rows(query)) == (0, 4, expected)


BAD_ROWS = {
    ",,,,,,,,,,": "empty customer_id",
    f"{'c' * 201},,,,,,,,,,": "over-long field",
    f"C,{'e' * 310}@example.com,,,,,,,,,": "over-long field",
    f"C,,,{'n' * 201},,,,,,,": "over-long field",
    "C,jo,,,,,,,,,": "wrong email",
    "C,jo@localhost,,,,,,,,,": "wrong email",
    "C,jo doe@example.com,,,,,,,,,": "wrong email",
    "C,jo@example.com>,,,,,,,,,": "wrong email",
    "C,,call me,,,,,,,,": "wrong phone",
    "C,,123,,,,,,,,": "wrong phone",
    "C,,+1234567890123456,,,,,,,,": "wrong phone",
    "C,,,,,1990-02-30,,,,,": "wrong birthday",
    "C,,,,,2027-01-01,,,,,": "wrong birthday",
    "C,,,,,,1/2/2020,,,,": "wrong joined_on",
    "C,,,,,,,Mars/Base,,,": "wrong time_zone",
    "C,,,,,,,,english please,,": "wrong language",
    "C,,,,,,,,,maybe,": "wrong email_consent",
    "C,,,,,,,,,,2": "wrong sms_consent",
    'C,,,"a\nb",,,,,,,': "control character",
    "C,,,,,,,,,": "wrong number of columns",
}


def test_bad_members_are_rejected_and_good_ones_load(shop: Any) -> None:
    """Law: the reason of each bad row is told with its line, without a word of the person; the rows around it load."""
    result = shop.members("\n".join([COLUMNS, "G1,,,,,,,,,,", *BAD_ROWS, "G2,,,,,,,,,,"]))
    assert (result.loaded, result.rejected) == (2, len(BAD_ROWS))
    assert [reason for _, reason in shop.reasons()] == list(BAD_ROWS.values())
    assert [member[0] for member in stored(shop)] == ["G1", "G2"]


def test_erased_members_are_not_brought_back(shop: Any) -> None:
    """Law: a row of a person who was erased is rejected, and nothing of it is stored."""
    shop.members("customer_id,first_name\nC1,A\nC2,B\n")
    shop.execute("update members set erased_at = '2026-11-01Z', first_name = null where customer_id = 'C1'")
    result = shop.members("customer_id,first_name\nC1,A\nC2,C\n")
    assert (result.loaded, shop.reasons()) == (1, [(2, "the member is erased")])
    assert shop.rows("select customer_id, first_name from members order by 1") == [("C1", None), ("C2", "C")]


def test_rates_are_recorded(shop: Any) -> None:
    """Law: a rate is kept by day and currency; the same again is unchanged, another replaces it, bad ones are told."""
    first = shop.rates(
        "date,currency,rate\n2026-10-05,EUR,1.10\n2026-10-05,EUR,1.1\n2026-10-05,EUR,1.2\n2026-10-06,EUR,1.2\n"
        "2026-10-32,EUR,1\n2026-10-05,USD,1\n2026-10-05,ABC,1\n2026-10-05,JPY,0\n2026-10-05,JPY,-1\n2026-10-05,JPY,\n"
    )
    assert (first.read, first.loaded, first.unchanged, first.rejected) == (10, 2, 1, 7)
    assert shop.reasons() == [
        (4, "same day and currency with another rate"),
        (6, "wrong date"),
        (7, "wrong currency"),
        (8, "wrong currency"),
        (9, "wrong rate"),
        (10, "wrong rate"),
        (11, "wrong rate"),
    ]
    second = shop.rates("date,currency,rate\n2026-10-05,EUR,1.1\n2026-10-06,EUR,1.3\n")
    assert (second.loaded, second.unchanged) == (1, 1)
    assert shop.rows("select day, currency, rate::float from exchange_rates order by day") == [
        (date(2026, 10, 5), "EUR", 1.1),
        (date(2026, 10, 6), "EUR", 1.3),
    ]

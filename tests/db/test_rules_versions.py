"""Versions of the rules: stored whole, in force by month, and refused where they would rewrite what happened."""

import threading
from collections.abc import Iterator
from dataclasses import astuple
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from loyalty.db.engine import connect, transaction
from loyalty.db.rules_versions import Version, discard, history, in_force, install, install_first, read_version
from loyalty.db.statements import parameters
from loyalty.errors import NotMigrated, Refused
from loyalty.rules.money import MINOR_DIGITS
from loyalty.rules.periods import period_bounds
from loyalty.rules.programme import Programme, Tier
from loyalty.rules.toml import to_toml
from tests.rules.programmes import programmes

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
WAITING = """
    select exists (
        select from pg_locks as l inner join pg_database as d on l.database = d.oid
        where d.datname = current_database() and not l.granted
    )
"""
JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, month, 1) for month in range(1, 5))


@pytest.fixture
def books(connection: Connection) -> Iterator[Connection]:
    """A programme in New York whose first rules are the default ones; what a test writes is rolled back."""
    connection.execute(text("delete from loyalty.programme"))
    connection.execute(text("insert into loyalty.programme (time_zone) values ('America/New_York')"))
    install_first(connection, Programme(), at=AT)
    yield connection
    connection.rollback()


def rules(**changes: Any) -> Programme:
    """The default rules with some of their own."""
    return Programme(**changes)


def apply(books: Connection, programme: Programme, from_period: date | None) -> int:
    """Install rules as a person does."""
    return install(books, programme, from_period=from_period, by="ana", at=AT)


def close(books: Connection, period: date, state: str = "closed") -> None:
    """Mark a month, as a close does."""
    start, end = period_bounds(period, ZoneInfo("America/New_York"))
    books.execute(
        text("insert into loyalty.periods (period, starts_at, ends_at, state) values (:period, :start, :end, :state)"),
        {"period": period, "start": start, "end": end, "state": state},
    )


def enrol(books: Connection, tier: str) -> int:
    """A member who holds a tier; gives the number."""
    member_no: int = books.execute(
        text("insert into loyalty.members (customer_id, enrolled_at) values (:tier, :at) returning member_no"),
        {"tier": f"holds {tier}", "at": AT},
    ).scalar_one()
    books.execute(
        text(
            "insert into loyalty.accounts (member_no, tier_no)"
            " select :member_no, tier_no from loyalty.tiers where name = :tier"
        ),
        {"member_no": member_no, "tier": tier},
    )
    return member_no


def record_transaction(books: Connection) -> None:
    """One transaction is enough for what transactions fix."""
    books.execute(
        text(
            "insert into loyalty.transaction_keys (source_no, transaction_id, transaction_no, member_no, booked_period)"
            " values (1, 'T1', 1, 1, '2026-01-01')"
        )
    )


def test_first_rules_hold_since_the_beginning(books: Connection) -> None:
    """Version 1 is in force in any month; installing first rules again does nothing."""
    assert in_force(books, date(1990, 1, 1)) == (1, Programme())
    assert in_force(books, date(2199, 12, 1)) == (1, Programme())
    assert install_first(books, rules(rate=Decimal(1)), at=AT) is None
    assert [astuple(version) for version in history(books)] == [(1, None, AT, "system", False)]


def test_version_in_force_is_the_newest_of_the_latest_month(books: Connection) -> None:
    """The greatest from_period that is not later than the month decides, then the greatest version."""
    march = apply(books, rules(rate=Decimal(3)), MARCH)
    february = apply(books, rules(rate=Decimal(2)), FEBRUARY)
    corrected = apply(books, rules(rate=Decimal(4)), MARCH)

    assert in_force(books, JANUARY) == (1, Programme())
    assert in_force(books, FEBRUARY) == (february, rules(rate=Decimal(2)))
    assert in_force(books, MARCH) == (corrected, rules(rate=Decimal(4)))
    assert in_force(books, APRIL) == (corrected, rules(rate=Decimal(4)))
    assert history(books) == [
        Version(1, None, AT, "system", overruled=False),
        Version(march, MARCH, AT, "ana", overruled=True),
        Version(february, FEBRUARY, AT, "ana", overruled=False),
        Version(corrected, MARCH, AT, "ana", overruled=False),
    ]


def test_same_rules_again_are_the_same_version(books: Connection) -> None:
    """Applying a file twice makes one version; going back to earlier rules makes a new one."""
    first = apply(books, rules(rate=Decimal(1)), MARCH)

    assert apply(books, rules(rate=Decimal("1.000")), MARCH) == first
    assert apply(books, rules(rate=Decimal(1)), APRIL) > first
    between = apply(books, rules(rate=Decimal(2)), MARCH)
    assert apply(books, rules(rate=Decimal(1)), MARCH) > between


@given(programmes())
def test_columns_say_what_the_text_says(books: Connection, programme: Programme) -> None:
    """SQL reads columns and people read the text: they hold the same rules, to the last tier."""
    version = apply(books, programme, MARCH)

    row = books.execute(
        text("select * from loyalty.rules_versions where version = :version"), {"version": version}
    ).one()
    ladder = books.execute(
        text(
            "select t.name, l.threshold, l.multiplier, l.review, l.voucher_amount, l.gift"
            " from loyalty.ladder as l inner join loyalty.tiers as t on l.tier_no = t.tier_no"
            " where l.version = :version order by l.rung"
        ),
        {"version": version},
    ).all()
    expected = {**programme.model_dump(), "spend_window": programme.window}
    keys = parameters("rules/add_version").keys() & expected.keys()
    assert {key: getattr(row, key) for key in keys} == {
        key: list(value) if isinstance(value, tuple) else value for key, value in expected.items() if key in keys
    }
    assert [tuple(rung) for rung in ladder] == [
        (tier.name, tier.threshold, tier.multiplier, tier.review, _minor(tier, programme), tier.gift)
        for tier in programme.tiers
    ]
    assert row.document == to_toml(programme)
    assert read_version(books, version) == programme


def _minor(tier: Tier, programme: Programme) -> int:
    return int(tier.voucher * 10 ** MINOR_DIGITS[programme.currency])


def test_every_key_that_a_month_needs_is_a_column(books: Connection) -> None:
    """The columns are the keys, apart from those that only Python reads, from the text."""
    columns = set(
        books.execute(
            text(
                "select column_name from information_schema.columns"
                " where table_schema = 'loyalty' and table_name = 'rules_versions'"
            )
        ).scalars()
    )

    assert columns - {"version", "starts_at", "minor_digits"} == parameters("rules/add_version").keys()
    assert Programme.model_fields.keys() - columns == {
        "adjust_reasons",
        "anniversary_points",
        "birthday_points",
        "change_rules_alone",
        "check_in_grace_minutes",
        "check_in_points",
        "milestone_days",
        "profile_points",
        "referral_points",
        "referral_year_max",
        "referred_points",
        "registration_points",
        "offers_consent",
        "offers_week_max",
        "quiet_email",
        "review_code",
        "review_reminder_days",
        "share_channels",
        "share_points",
        "sms_from",
        "sms_until",
        "tiers",
        "velocity",
        "visit_points",
        "visits_each",
        "window",
    }


@pytest.mark.parametrize("state", ["closed", "closing"])
@pytest.mark.parametrize("from_period", [None, JANUARY, FEBRUARY])
def test_closed_months_keep_their_rules(books: Connection, from_period: date | None, state: str) -> None:
    """New rules can't begin in a month that is closed or closing, nor before one."""
    close(books, FEBRUARY, state)

    with pytest.raises(Refused) as error:
        apply(books, rules(rate=Decimal(1)), from_period)

    assert str(error.value) == (
        "2026-02 is closed and keeps its rules: new rules can begin with 2026-03, the first open month"
    )
    assert apply(books, rules(rate=Decimal(1)), MARCH) == 2
    assert in_force(books, FEBRUARY) == (1, Programme())


def test_rules_that_a_closed_month_rated_by_stay(books: Connection) -> None:
    """Law (4): a refund is rated as its sale was: a month by whose rules one is closed already keeps them."""
    close(books, JANUARY, "closed")
    books.execute(
        text(
            "insert into loyalty.transactions (booked_period, member_no, source_no, transaction_id, kind, occurred_at,"
            " recorded_at, amount, currency, sale_no, sale_period)"
            " values ('2026-01-01', 1, 1, 'R1', 'refund', '2026-01-20', '2026-02-06', 300, 'USD', 1, '2026-02-01')"
        )
    )

    with pytest.raises(Refused) as error:
        apply(books, rules(rate=Decimal(1)), FEBRUARY)

    assert str(error.value) == (
        "a refund in a closed month was rated by the rules of 2026-02: new rules can begin with 2026-03"
    )
    assert apply(books, rules(rate=Decimal(1)), MARCH) == 2


def test_open_months_get_new_rules(books: Connection) -> None:
    """While no month is closed, rules may begin anywhere, the beginning included."""
    close(books, FEBRUARY, "open")

    assert in_force(books, JANUARY)[0] == 1
    assert apply(books, rules(rate=Decimal(1)), None) == 2
    assert in_force(books, JANUARY) == (2, rules(rate=Decimal(1)))


def test_tier_keeps_its_number(books: Connection) -> None:
    """A tier that moves on the ladder, or comes back to it, is the same tier; a new name is a new one."""
    blue, bronze = Tier(name="Blue", threshold=0), Tier(name="Bronze", threshold=50)
    apply(books, rules(tiers=(blue, bronze)), FEBRUARY)
    apply(books, rules(), MARCH)

    tiers = books.execute(text("select tier_no, name from loyalty.tiers order by tier_no")).all()

    assert [tuple(tier) for tier in tiers] == [
        (1, "Bronze"),
        (2, "Silver"),
        (3, "Gold"),
        (4, "Platinum"),
        (5, "Blue"),
    ]


def test_tier_that_members_hold_stays(books: Connection) -> None:
    """A held tier may move on the ladder, but not leave it; nor may one that a review proposes."""
    member_no = enrol(books, "Silver")
    books.execute(
        text(
            "insert into loyalty.reviews"
            " (member_no, tier_no, from_tier_no, period, qualifying_points, spend, asked_at, due_at)"
            " values (:member_no, 4, 2, '2026-01-01', 600, 600000, :at, :at)"
        ),
        {"member_no": member_no, "at": AT},
    )
    bronze, silver = Tier(name="Bronze", threshold=0), Tier(name="Silver", threshold=1)

    with pytest.raises(Refused) as error:
        apply(books, rules(tiers=(bronze, Tier(name="Argent", threshold=120))), MARCH)

    assert str(error.value) == (
        "members hold or are proposed for Silver, Platinum: such a tier can't be left out or renamed"
    )
    assert apply(books, rules(tiers=(bronze, silver, Tier(name="Platinum", threshold=9))), MARCH) == 2


def test_transactions_fix_the_currency(books: Connection) -> None:
    """Before the first transaction the currency is a rule as any other."""
    euro = apply(books, rules(currency="EUR"), None)
    record_transaction(books)

    with pytest.raises(Refused) as error:
        apply(books, rules(currency="USD"), MARCH)

    assert str(error.value) == ("transactions are recorded in a programme in EUR: the currency can't become USD")
    assert apply(books, rules(currency="EUR", rate=Decimal(1)), MARCH) == euro + 1


def test_candidate_is_seen_by_its_simulation_only(books: Connection) -> None:
    """A candidate may begin in a closed month, rules only who names it, and leaves nothing behind."""
    close(books, FEBRUARY)
    trial = rules(tiers=(*Programme().tiers, Tier(name="Diamond", threshold=5000)))

    version = install(books, trial, from_period=JANUARY, by="ana", at=AT, candidate=True)

    assert in_force(books, MARCH) == (1, Programme())
    assert read_version(books, version) == trial
    books.execute(text("select set_config('loyalty.candidate', :version, true)"), {"version": str(version)})
    assert in_force(books, MARCH) == (version, trial)
    discard(books, version)
    discard(books, 1)
    assert in_force(books, MARCH) == (1, Programme())
    assert history(books) == [Version(1, None, AT, "system", overruled=False)]
    assert books.execute(text("select max(tier_no) from loyalty.tiers")).scalar() == 4


def test_unknown_version_is_refused(connection: Connection) -> None:
    """A number that no version has, and a database without rules, are each told in a line."""
    with pytest.raises(Refused) as unknown:
        read_version(connection, 7)
    connection.execute(text("delete from loyalty.programme"))
    with pytest.raises(NotMigrated) as none:
        in_force(connection, MARCH)

    assert str(unknown.value) == "there is no version 7 of the rules"
    assert str(none.value) == "no rules are installed: run `loyalty migrate`"


@pytest.mark.usefixtures("database")
def test_close_that_begins_waits_for_new_rules() -> None:
    """Who closes a month sees the rules that were being applied to it: the one waits for the other."""
    with transaction() as connection:
        connection.execute(text("delete from loyalty.programme"))
        connection.execute(text("insert into loyalty.programme (time_zone) values ('UTC')"))
        install_first(connection, Programme(), at=AT)
        connection.execute(text("select loyalty.ensure_period('2026-01-01')"))
    began = threading.Event()
    seen: list[int] = []

    def closing() -> None:
        with transaction() as connection:
            began.set()
            connection.execute(text("update loyalty.periods set state = 'closing'"))
        with connect() as connection:
            seen.append(in_force(connection, JANUARY)[0])

    with transaction() as connection:
        apply(connection, rules(rate=Decimal(1)), JANUARY)
        closer = threading.Thread(target=closing)
        closer.start()
        began.wait()
        with connect() as watching:
            while closer.is_alive() and not watching.execute(text(WAITING)).scalar():
                watching.rollback()
    closer.join()

    assert seen == [2]


@given(
    period=st.dates(date(1990, 1, 1), date(2020, 12, 1)).map(lambda day: day.replace(day=1)),
    zone=st.sampled_from(
        ["UTC", "America/New_York", "Asia/Kathmandu", "America/Havana", "America/Asuncion", "Asia/Beirut"]
    ),
)
def test_months_begin_in_python_when_they_begin_in_sql(connection: Connection, period: date, zone: str) -> None:
    """Both read a midnight that comes twice, or never, alike."""
    assert period_bounds(period, ZoneInfo(zone))[0] == _start(connection, period, zone)


@pytest.mark.parametrize(
    ("day", "zone", "start"),
    [
        (date(2017, 10, 1), "America/Asuncion", datetime(2017, 10, 1, 4, tzinfo=UTC)),
        (date(2020, 11, 1), "America/Havana", datetime(2020, 11, 1, 4, tzinfo=UTC)),
    ],
)
def test_midnights_that_come_twice_or_never(connection: Connection, day: date, zone: str, start: datetime) -> None:
    """In Asuncion October 2017 began at one; in Havana November 2020 began with the first of two midnights."""
    assert period_bounds(day, ZoneInfo(zone))[0] == start
    assert _start(connection, day, zone) == start


def _start(connection: Connection, day: date, zone: str) -> datetime:
    """The first instant of a day by the database, which is asked in a transaction that leaves nothing."""
    connection.execute(text("insert into loyalty.programme (time_zone) values (:zone)"), {"zone": zone})
    start: datetime = connection.execute(text("select loyalty.day_start(:day)"), {"day": day}).scalar_one()
    connection.rollback()
    return start


def test_currencies_are_the_same_in_python_and_sql(connection: Connection) -> None:
    """Each currency has the same number of decimals on both sides."""
    found = connection.execute(text("select currency, minor_digits from loyalty.currencies"))

    assert {row.currency: row.minor_digits for row in found} == MINOR_DIGITS

"""The health report: its numbers, and what a reader sees of them."""

import json
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from loyalty.reports import health, stored
from loyalty.reports.formats import NOTHING
from loyalty.reports.health_numbers import rolled_forward
from loyalty.reports.page import Text
from loyalty.rules.periods import shifted
from tests.reports.conftest import AT, DECEMBER, Books

FIGURES = st.fixed_dictionaries(
    {
        "opening": st.integers(-500, 5000),
        "transactions": st.integers(0, 9),
        "earned": st.integers(-900, 900),
        "redeemed": st.integers(0, 300),
        "expired": st.integers(0, 300),
        "adjusted": st.integers(-50, 50),
        "held": st.sampled_from(["Bronze", "Silver", "Gold"]),
        "after": st.sampled_from(["Bronze", "Silver", "Gold"]),
    }
)


def december(books: Books) -> health.Health:
    """The report of December 2017, as JSON keeps it."""
    made = health.numbers(books.connection, DECEMBER)
    kept: health.Health = json.loads(json.dumps(made))

    assert kept == made
    return kept


def test_points_roll_forward_over_the_statements_of_the_period_alone(books: Books) -> None:
    """Law: every figure is the sum over the period's statements; what members owe lowers no liability of others."""
    books.members({"Bronze": 4})
    books.month(date(2017, 11, 1))
    books.statement(1, opening=100, earned=60, redeemed=30, expired=10, adjusted=5, transactions=2)
    books.statement(2, opening=0, earned=-40, transactions=1)
    books.statement(3, opening=7)
    books.statement(4, date(2017, 11, 1), earned=1_000_000, transactions=1)

    report = december(books)

    assert report["points"] == {
        "opening": 107,
        "earned": 20,
        "redeemed": 30,
        "expired": 10,
        "adjusted": 5,
        "closing": 92,
        "outstanding": 132,
        "owed": 40,
        "value": 132,
        "carried": None,
    }
    assert report["members"] == {"enrolled": 4, "stated": 3, "active": 2}
    assert report["summary"] == {"period": "2017-12", "points": 20, "active": 2, "moved_up": 0, "closing": 92}


@given(rows=st.lists(FIGURES, max_size=8))
def test_whatever_the_statements_the_report_adds_up(books: Books, rows: list[dict[str, object]]) -> None:
    """Law: opening + earned - redeemed - expired + adjusted = closing; each statement is in one field of the matrix."""
    with books.connection.begin_nested() as savepoint:
        for member_no, row in enumerate(rows, start=1):
            books.statement(member_no, **row)  # type: ignore[arg-type]
        report = december(books)
        savepoint.rollback()

    assert rolled_forward(report["points"]) == report["points"]["closing"]
    assert report["points"]["outstanding"] - report["points"]["owed"] == report["points"]["closing"]
    assert sum(sum(line) for line in report["moves"]["matrix"]) == len(rows)
    ladder = ["Bronze", "Silver", "Gold"]
    rungs = [(ladder.index(str(row["held"])), ladder.index(str(row["after"]))) for row in rows]
    assert report["moves"]["up"] == sum(after > before for before, after in rungs)
    assert report["moves"]["down"] == sum(after < before for before, after in rungs)
    assert "✓ Opening" in health.markdown(report)


def test_moves_are_counted_from_the_opening_to_after_the_close(books: Books) -> None:
    """Law: up and down go by the rungs of the close's ladder; an approval within the month counts in that month."""
    books.statement(1, held="Bronze", after="Silver")
    books.statement(2, held="Bronze", after="Gold")
    books.statement(3, before="Silver", held="Gold", after="Gold")
    books.statement(4, held="Gold", after="Silver")
    books.statement(5, held="Platinum")

    assert december(books)["moves"] == {
        "tiers": ["Bronze", "Silver", "Gold", "Platinum"],
        "matrix": [[0, 1, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
        "up": 3,
        "down": 1,
        "up_to": {"Silver": 1, "Gold": 2},
    }


def test_a_tier_off_the_ladder_is_shown_but_is_neither_up_nor_down(books: Books) -> None:
    """Law: members who come from a tier that the rules no longer have aren't called risen."""
    books.execute("insert into loyalty.tiers (name) values ('Founders')")
    books.statement(1, held="Bronze")
    books.execute("update loyalty.statements set tier_before = (select max(tier_no) from loyalty.tiers)")

    moves = december(books)["moves"]

    assert moves["tiers"] == ["Bronze", "Silver", "Gold", "Platinum", "Founders"]
    assert moves["matrix"][4] == [1, 0, 0, 0, 0]
    assert (moves["up"], moves["down"]) == (0, 0)


def test_reviews_are_those_that_the_close_asked_for(books: Books) -> None:
    """Law: waiting counts this month's open reviews, and all; an approval that took effect later is told apart."""
    asked = (
        (1, 3, "2017-12-01", "open", None),
        (2, 3, "2017-12-01", "approved", "2018-01-01"),
        (3, 3, "2017-12-01", "approved", "2018-01-02"),
        (4, 4, "2017-12-01", "rejected", None),
        (5, 4, "2017-11-01", "open", None),
    )
    for member_no, tier_no, period, state, effective in asked:
        books.execute(
            "insert into loyalty.reviews (member_no, tier_no, from_tier_no, period, qualifying_points, spend, state,"
            " asked_at, due_at, decided_at, effective_at) values"
            "(:member_no, :tier_no, 2, cast(:period as date), 300, 0, :state, :at, :at, case when :state <>"
            " 'open' then cast(:at as timestamptz) end, cast(:effective as timestamptz))",
            member_no=member_no,
            tier_no=tier_no,
            period=period,
            state=state,
            effective=effective,
            at=AT,
        )

    report = december(books)

    assert report["reviews"] == {"Gold": {"approved": 2, "open": 1}, "Platinum": {"rejected": 1}}
    assert report["approvals"] == {"waiting": 1, "waiting_in_all": 2, "later": 1}
    assert health.page(report).headlines[1].note == "1 more wait for a manager, 1 approved since"


def test_vouchers_gifts_and_messages_are_those_of_the_period(books: Books) -> None:
    """Law: an archived voucher still counts; gifts and messages stand by their state; other months' are left out."""
    november = date(2017, 11, 1)
    books.voucher(1, DECEMBER, "Silver", 500)
    books.voucher(2, DECEMBER, "Silver", 500, archived=True)
    books.voucher(3, DECEMBER, "Gold", 1000)
    books.voucher(4, november, "Gold", 1000)
    for member_no, period, state in ((1, DECEMBER, "shipped"), (2, DECEMBER, "open"), (3, november, "open")):
        books.execute(
            "insert into loyalty.gift_dispatches (member_no, tier_no, earned_at, period, gift, state, asked_at,"
            " changed_at) values (:member_no, 4, :at, :period, 'Box', :state, :at, :at)",
            member_no=member_no,
            period=period,
            state=state,
            at=AT,
        )
    books.move(1, DECEMBER, "Bronze", "Silver")
    books.move(2, DECEMBER, "Bronze", "Gold", days_later=3)
    books.move(3, november, "Bronze", "Gold", days_later=4)
    for member_no, kind, occasion, state in (
        (1, "points_credited", "2017-12", "sent"),
        (2, "points_credited", "2017-12", "queued"),
        (3, "points_credited", "2017-11", "sent"),
        (1, "tier_upgrade", "2018-01-01T00:00:00.000000Z", "withheld"),
        (2, "tier_upgrade", "2018-01-04T00:00:00.000000Z", "queued"),
        (3, "tier_upgrade", "2017-12-05T00:00:00.000000Z", "queued"),
    ):
        books.execute(
            "insert into loyalty.outbox (kind, occasion, member_no, channel, state, queued_at) values"
            " (cast(:kind as loyalty.message_kind), :occasion, :member_no, 'sms', :state, :at)",
            kind=kind,
            occasion=occasion,
            member_no=member_no,
            state=state,
            at=AT,
        )

    report = december(books)

    assert report["vouchers"] == [
        {"tier": "Silver", "vouchers": 2, "amount": 1000},
        {"tier": "Gold", "vouchers": 1, "amount": 1000},
    ]
    assert report["gifts"] == {"Box": {"open": 1, "shipped": 1}}
    assert report["messages"] == {
        "points_credited": {"queued": 1, "sent": 1},
        "tier_upgrade": {"queued": 1, "withheld": 1},
    }


def test_the_trend_is_read_from_the_newest_reports_of_eleven_months_before(books: Books) -> None:
    """Law: a month without a report is left out, an older revision and a thirteenth month are not shown."""
    for months, points in ((-12, 1), (-11, 2), (-3, 3), (-3, 4), (-1, 5)):
        numbers = {"summary": {"period": f"{months}", "points": points, "active": 0, "moved_up": 0, "closing": 100}}
        stored.store(books.connection, shifted(DECEMBER, months), "health", numbers, AT)
    stored.store(books.connection, shifted(DECEMBER, -2), "roi", {"summary": {"points": 99}}, AT)
    books.members({"Bronze": 1})
    books.statement(1, opening=100)

    report = december(books)

    assert [(month["period"], month["points"]) for month in report["trend"]] == [
        ("-11", 2),
        ("-3", 4),
        ("-1", 5),
        ("2017-12", 0),
    ]
    assert report["points"]["carried"] is True


def test_an_opening_that_nobody_closed_with_is_told(books: Books) -> None:
    """Law: where the opening isn't the closing of the month before, the reader is warned."""
    before = {"summary": {"period": "2017-11", "points": 0, "active": 0, "moved_up": 0, "closing": 99}}
    stored.store(books.connection, date(2017, 11, 1), "health", before, AT)
    books.statement(1, opening=100)

    report = december(books)

    warning = "The opening is not the closing of the month before. Run `loyalty verify`."
    assert report["points"]["carried"] is False
    assert Text(warning, warning=True) in health.page(report).sections[0].blocks


def test_an_empty_month_has_a_report(books: Books) -> None:
    """Law: with no member and no statement every share is a dash, and nothing fails."""
    report = december(books)

    assert report["points"]["closing"] == 0
    assert [(one.label, one.value) for one in health.page(report).headlines] == [
        ("Points distributed", "0"),
        ("Members moved up", "0"),
        ("Active share", NOTHING),
        ("Points outstanding", "0"),
    ]


def test_a_month_that_nobody_opened_has_a_report(books: Books) -> None:
    """Law: a period without a close is reported by the rules in force in it, and the reader is told that it is open."""
    report = health.numbers(books.connection, date(2031, 5, 1))

    assert report["programme"]["state"] == "open"
    assert health.page(report).basis == "Rules version 1, USD; the month is open"


def test_members_by_tier_are_all_who_are_enrolled(books: Books) -> None:
    """Law: a member without a statement counts where the account is; every tier of the ladder is listed."""
    books.members({"Bronze": 3, "Gold": 1})
    books.statement(1, transactions=1)

    report = december(books)

    assert report["members_by_tier"] == {"Bronze": 3, "Silver": 0, "Gold": 1, "Platinum": 0}
    assert health.page(report).headlines[2].value == "25.0%"

"""The ROI report: its numbers, and what a reader sees of them."""

import json
from datetime import date

import pytest

from loyalty.reports import roi, roi_numbers, stored
from loyalty.reports.facts import Tier
from loyalty.reports.formats import NOTHING, TIMES
from loyalty.reports.page import Page, Table, Text
from loyalty.rules.periods import shifted
from tests.reports.conftest import AT, DECEMBER, Books

AUTUMN = [shifted(DECEMBER, month) for month in range(-5, 1)]  # July to December
OCTOBER = date(2017, 10, 1)


def december(books: Books) -> roi.Roi:
    """The report of December 2017, as JSON keeps it."""
    made = roi.numbers(books.connection, DECEMBER)
    kept: roi.Roi = json.loads(json.dumps(made))

    assert kept == made
    return kept


def table(page: Page, caption: str) -> Table:
    """The table that begins so."""
    blocks = [block for section in page.sections for block in section.blocks]
    return next(block for block in blocks if isinstance(block, Table) and block.caption.startswith(caption))


def half_year(books: Books, member_no: int, *spends: int) -> None:
    """A member's statements of July to December with this spend in minor units; None at the place of none."""
    for period, spend in zip(AUTUMN, spends, strict=True):
        books.month(period)
        books.statement(member_no, period, spend=spend, transactions=1)


def test_average_spend_goes_by_the_tier_held_when_the_month_ended(books: Books) -> None:
    """Law: neither this close's move nor the tier at the opening matters; members who bought nothing count."""
    books.statement(1, held="Silver", after="Gold", spend=10_000, transactions=1)
    books.statement(2, held="Silver", spend=0, opening=5)
    books.statement(3, before="Silver", held="Gold", spend=40_000, transactions=3)
    books.statement(4, held="Bronze", spend=333, transactions=1)

    report = december(books)

    assert report["pair"] == ["Gold", "Silver"]
    assert report["summary"]["tiers"] == [
        {"tier": "Bronze", "members": 1, "active": 1, "spend": 333},
        {"tier": "Silver", "members": 2, "active": 1, "spend": 10_000},
        {"tier": "Gold", "members": 1, "active": 1, "spend": 40_000},
        {"tier": "Platinum", "members": 0, "active": 0, "spend": 0},
    ]
    assert table(roi.page(report), "Members with a statement").rows == (
        ("Bronze", "1", "1", "$3.33", "$3.33", "$3.33"),
        ("Silver", "2", "1", "$100.00", "$50.00", "$100.00"),
        ("Gold", "1", "1", "$400.00", "$400.00", "$400.00"),
        ("Platinum", "0", "0", "$0.00", NOTHING, NOTHING),
        ("All", "4", "3", "$503.33", "$125.83", "$167.78"),
    )
    assert [(one.value, one.note) for one in roi.page(report).headlines[:2]] == [
        ("$400.00", "a member, this month; descriptive"),
        ("$50.00", f"Gold members spent 8.0 {TIMES} as much"),
    ]


def test_the_figure_is_marked_as_descriptive_above_the_chart(books: Books) -> None:
    """Law: nobody reads the averages without being told what they don't say."""
    first = roi.page(december(books)).sections[0].blocks[0]

    assert first == Text(roi.DESCRIPTIVE, warning=True)


@pytest.mark.parametrize(
    ("names", "pair"),
    [
        (("Member", "GOLD", "silver"), ["GOLD", "silver"]),
        (("Blue", "Green", "Red", "Black"), ["Red", "Green"]),
        (("Basic", "Plus"), ["Plus", "Basic"]),
        (("Everybody",), None),
    ],
)
def test_the_pair_to_compare_is_gold_and_silver_or_what_comes_closest(
    names: tuple[str, ...], pair: list[str] | None
) -> None:
    """Law: Gold and Silver by name, else the third tier against the second, else the second against the first."""
    tiers = [Tier(number, name, number) for number, name in enumerate(names, start=1)]

    assert roi_numbers._pair(tiers) == pair


def test_the_same_members_are_compared_three_months_before_and_after_their_move(books: Books) -> None:
    """Law: the move takes effect in the first month after; who has no statement in the first before is left out."""
    half_year(books, 1, 100, 200, 300, 500, 600, 700)
    half_year(books, 2, 10, 20, 30, 20, 20, 20)
    half_year(books, 3, 1, 1, 1, 1, 1, 1)
    for period in AUTUMN[1:]:
        books.statement(4, period, spend=9999)
    books.move(1, date(2017, 9, 1), "Silver", "Gold")  # by September's close: in effect from October
    books.move(2, date(2017, 9, 1), "Silver", "Gold", days_later=12)  # approved in October
    books.move(3, date(2017, 10, 1), "Silver", "Gold")  # a month later: of the next report
    books.move(4, date(2017, 9, 1), "Silver", "Gold")  # no member yet in July

    report = december(books)

    assert report["summary"]["cohort"] == {
        "month": "2017-10",
        "nth": 1,
        "tiers": [{"tier": "Gold", "members": 2, "before": 660, "after": 1860}],
        "everyone": None,
    }
    assert table(roi.page(report), "Members whose move up").rows == (
        ("Gold", "2", "$1.10", "$3.10", "+181.8%"),
        ("All members, same months", NOTHING, NOTHING, NOTHING, NOTHING),
    )


def test_a_month_without_a_statement_counts_as_nothing_spent(books: Books) -> None:
    """Law: a member who stayed away after the move lowers the mean instead of leaving it."""
    for period in AUTUMN:
        books.month(period)
    books.statement(1, AUTUMN[0], spend=300)
    books.move(1, date(2017, 9, 1), "Bronze", "Silver")

    assert december(books)["summary"]["cohort"]["tiers"] == [
        {"tier": "Silver", "members": 1, "before": 300, "after": 0},
    ]


def test_of_a_large_programme_whole_blocks_of_members_are_looked_at(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: beyond the limit every nth block of a thousand members is read, and the reader is told."""
    monkeypatch.setattr(roi_numbers, "MOST_MEMBERS", 1000)
    books.members({"Bronze": 2500})
    for member_no in (5, 999, 1000, 1999, 2000):
        half_year(books, member_no, *[member_no] * 6)
        books.move(member_no, date(2017, 9, 1), "Bronze", "Silver")

    report = december(books)

    assert report["summary"]["cohort"]["nth"] == 3
    assert report["summary"]["cohort"]["tiers"] == [
        {"tier": "Silver", "members": 2, "before": 3 * (5 + 999), "after": 3 * (5 + 999)},
    ]
    assert "One in 3 blocks of neighbouring members was looked at." in roi.markdown(report)


def test_cohorts_of_earlier_reports_are_pooled_beside_everybodys_months(books: Books) -> None:
    """Law: means are over members of all cohorts; all members' months are weighted as the cohorts' members."""
    for period in AUTUMN:
        books.month(period)
    for month, period in enumerate(AUTUMN[:-1]):
        everyone = {"before": 3000, "before_statements": 30, "after": 6000, "after_statements": 30}
        around = [{"tier": "Gold", "members": 3, "before": 900, "after": 1800}] if month == 4 else []
        summary = {
            "period": period.isoformat()[:7],
            "statements": 10,
            "spend": 1000 * (month + 1),
            "tiers": [],
            "cohort": {"month": "2017-09", "nth": 1, "tiers": around, "everyone": everyone},
        }
        stored.store(books.connection, period, "roi", {"summary": summary}, AT)
    half_year(books, 1, 300, 300, 300, 600, 600, 600)
    books.move(1, date(2017, 9, 1), "Silver", "Gold")

    report = december(books)

    assert report["summary"]["cohort"]["everyone"] == {
        "before": 6000,
        "before_statements": 30,
        "after": 9600,
        "after_statements": 21,
    }
    assert table(roi.page(report), "Members whose move up").rows == (
        ("Gold", "4", "$1.50", "$3.00", "+100.0%"),
        # (3 x 100 + 1 x 200) / 4 before, (3 x 200 + 1 x 9600/21) / 4 after
        ("All members, same months", NOTHING, "$1.25", "$2.64", "+111.2%"),
    )


def test_rewards_cost_what_they_are_worth_by_the_tier_held_before_them(books: Books) -> None:
    """Law: points at the books' value, vouchers at face value; nothing is a share of no spend."""
    books.statement(1, held="Bronze", after="Silver", spend=10_000, earned=100)
    books.statement(2, held="Gold", spend=20_000, earned=250)
    books.statement(3, held="Silver", earned=-30)
    books.voucher(1, DECEMBER, "Silver", 500, before="Bronze")
    books.voucher(3, DECEMBER, "Gold", 1000, before="Silver", days_later=3)
    books.voucher(4, DECEMBER, "Platinum", 2500, archived=True)

    report = december(books)

    assert report["costs"] == [
        {"tier": "Bronze", "points": 100, "vouchers": 500, "spend": 10_000},
        {"tier": "Silver", "points": -30, "vouchers": 1000, "spend": 0},
        {"tier": "Gold", "points": 250, "vouchers": 0, "spend": 20_000},
        {"tier": "Platinum", "points": 0, "vouchers": 2500, "spend": 0},
    ]
    assert table(roi.page(report), "Reward cost").rows == (
        ("Bronze", "$1.00", "$5.00", "$6.00", "$100.00", "6.0%"),
        ("Silver", "-$0.30", "$10.00", "$9.70", "$0.00", NOTHING),
        ("Gold", "$2.50", "$0.00", "$2.50", "$200.00", "1.2%"),
        ("Platinum", "$0.00", "$25.00", "$25.00", "$0.00", NOTHING),
        ("All", "$3.20", "$40.00", "$43.20", "$300.00", "14.4%"),
    )


def test_an_empty_month_has_a_report(books: Books) -> None:
    """Law: with no member and no statement every mean and share is a dash, and nothing fails."""
    page = roi.page(december(books))

    assert [(one.label, one.value) for one in page.headlines] == [
        ("Gold average spend", NOTHING),
        ("Silver average spend", NOTHING),
        ("After moving to Gold", NOTHING),
        ("Reward cost", NOTHING),
    ]
    assert table(page, "Members whose move up").rows == ()

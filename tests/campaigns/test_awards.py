"""What campaigns give for purchases, and what refunds take back."""

from datetime import UTC, datetime, timedelta

from loyalty.db import campaigns
from loyalty.db.campaign_awards import run
from loyalty.db.engine import connect
from tests.campaigns.conftest import Opened, Sold, databases, opened
from tests.till.test_at_once import at_once

__all__ = ["databases", "opened"]

START = datetime(2026, 1, 1, tzinfo=UTC)
TENTH, TWENTIETH = datetime(2026, 1, 10, 12, tzinfo=UTC), datetime(2026, 1, 20, 12, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, 9, tzinfo=UTC)


def test_points_land_in_the_month_of_the_purchase(opened: Opened) -> None:
    """Law (1, 13, 14): each purchase counts once, whoever runs and however often; a close has them all as adjusted."""
    shop = opened()
    shop.start(START, points=50, minimum=20)
    shop.sell([Sold("T1", "C1", TENTH, 10_000), Sold("T2", "C1", TENTH, 1_999), Sold("T3", "C2", TENTH, 2_000)], TENTH)

    first, again = shop.award(TENTH), shop.award(TWENTIETH)
    shop.sell([Sold("T4", "C2", TWENTIETH, 5_000)], FEBRUARY)
    shop.close("2026-01", now=FEBRUARY)

    assert (first.purchases, first.points, again.purchases) == (2, 100, 0)
    assert shop.awards() == {"T1": ("test", 50), "T3": ("test", 50), "T4": ("test", 50)}
    stated = {row["customer_id"]: (row["points_earned"], row["points_adjusted"]) for row in shop.statements("2026-01")}
    assert stated == {"C1": ("11", "50"), "C2": ("7", "100")}
    assert shop.wrong() == {}


def test_a_multiplier_loses_no_fraction(opened: Opened) -> None:
    """Law (2): double points are the base rate's again, exactly, posted as the running floor: 3 x 3.35 gives 1."""
    shop = opened()
    shop.start(START, gives="multiplier", multiplier=2)
    for number in range(3):
        shop.sell([Sold(f"T{number}", "C1", TENTH + timedelta(hours=number), 335)], TWENTIETH)
        shop.award(TWENTIETH)

    assert [points for _, points in shop.awards().values()] == [0, 0, 1]
    assert shop.wrong() == {}


def test_the_best_campaign_counts_and_no_other(opened: Opened) -> None:
    """Law: of campaigns that fit, a purchase counts for the one that gives most, the older where two give alike.

    When it has nothing left, the next best counts.
    """
    shop = opened()
    shop.start(START, name="flat", points=15)
    shop.start(START, name="flat-too", points=15)
    shop.start(START, name="double", gives="multiplier", multiplier=2, budget=60)
    amounts = {"small": 10_000, "large": 40_000, "larger": 50_000, "late": 60_000}
    hours = enumerate(amounts.items())
    shop.sell([Sold(name, "C1", TENTH + timedelta(hours=hour), amount) for hour, (name, amount) in hours], TENTH)

    shop.award(TWENTIETH)

    assert shop.awards() == {
        "small": ("flat", 15),
        "large": ("double", 40),
        "larger": ("double", 20),
        "late": ("flat", 15),
    }
    assert shop.wrong() == {}


def test_a_budget_and_a_cap_hold_under_64_clients(opened: Opened) -> None:
    """Law: of 64 who award at once while purchases come, budget and cap are used to the point and never overrun."""
    shop = opened()
    shop.start(START, name="capped", points=30, member_cap=100, budget=1_510)
    shop.sell([Sold(f"A{n}", f"C{n % 20}", TENTH + timedelta(minutes=n), 1_000) for n in range(100)], TWENTIETH)

    given = [each for each in at_once(lambda _: run(TWENTIETH)) if each]

    [capped] = shop.rows("select spent, budget from loyalty.campaigns")
    members = shop.rows("select member_no, sum(points)::int as points from loyalty.campaign_awards group by member_no")
    assert capped == {"spent": 1_510, "budget": 1_510}
    assert sum(each.points for each in given) == sum(row["points"] for row in members) == 1_510
    assert max(row["points"] for row in members) <= 100
    assert sum(shop.balances().values()) == 1_510
    assert shop.wrong() == {}


def test_a_refund_takes_back_its_share(opened: Opened) -> None:
    """Law: of 50 points for 100.00, refunds of 33.33, 33.33 and 33.34 leave 34, 17 and 0, in whatever runs they come.

    The lot of the award pays first; what was spent is owed.
    """
    shop = opened()
    shop.start(START, points=50)
    shop.sell([Sold("T1", "C1", TENTH, 10_000)], TENTH)
    shop.award(TENTH)
    left = []
    for number, amount in enumerate((3_333, 3_333, 3_334)):
        shop.sell([Sold(f"R{number}", "C1", TWENTIETH, amount, of="T1")], TWENTIETH)
        shop.award(TWENTIETH)
        shop.award(TWENTIETH)
        left.append(shop.awards()["T1"][1])

    assert left == [34, 17, 0]
    assert shop.balances() == {"C1": 0}
    shop.close("2026-01", now=FEBRUARY)
    assert shop.wrong() == {}


def test_a_refund_in_a_later_month_is_that_months(opened: Opened) -> None:
    """Law (1, 4): what comes back in February is taken back in February, also of a purchase that January stated."""
    shop = opened()
    shop.start(START, points=50)
    shop.sell([Sold("T1", "C1", TENTH, 10_000)], TENTH)
    shop.close("2026-01", now=FEBRUARY)
    shop.sell([Sold("R1", "C1", FEBRUARY, 5_000, of="T1")], FEBRUARY)
    shop.close("2026-02", now=datetime(2026, 3, 1, 9, tzinfo=UTC))

    stated = [shop.statements(period)[0] for period in ("2026-01", "2026-02")]
    assert [(row["points_earned"], row["points_adjusted"], row["closing_balance"]) for row in stated] == [
        ("10", "50", "60"),
        ("-5", "-25", "30"),
    ]
    assert shop.wrong() == {}


def test_a_corrected_purchase_counts_as_its_correction(opened: Opened) -> None:
    """Law (16): the award of a row that was corrected is taken back whole, and its replacement has one of its own."""
    shop = opened()
    shop.start(START, gives="multiplier", multiplier=2)
    shop.sell([Sold("T1", "C1", TENTH, 10_000)], TENTH)
    shop.award(TENTH)
    shop.sell([Sold("T1", "C1", TENTH, 30_000)], TWENTIETH, correct=True)
    shop.award(TWENTIETH)

    assert shop.balances() == {"C1": 30}
    shop.close("2026-01", now=FEBRUARY)
    assert shop.balances() == {"C1": 60}
    assert shop.wrong() == {}


def test_what_was_bought_before_or_after_counts_for_nothing(opened: Opened) -> None:
    """Law: a campaign begins with its approval and ends when it is stopped; what came late is counted all the same."""
    shop = opened()
    shop.start(TENTH, points=5)
    times = {
        "before": TENTH - timedelta(seconds=1),
        "at": TENTH,
        "last": TWENTIETH - timedelta(seconds=1),
        "after": TWENTIETH,
    }
    shop.sell([Sold("warm-up", "C1", TENTH, 100)], TWENTIETH)
    campaigns.stop("test", by="ana", at=TWENTIETH)
    shop.sell([Sold(name, "C1", at, 100) for name, at in times.items()], TWENTIETH + timedelta(days=1))
    shop.award(TWENTIETH + timedelta(days=1))

    assert set(shop.awards()) == {"warm-up", "at", "last"}


def test_a_campaign_is_over_once_its_time_is(opened: Opened) -> None:
    """Law: to the last instant of its last day a campaign runs, then it is over; one that was stopped stays that."""
    shop = opened()
    shop.start(START, points=5)
    shop.start(START, name="stopped", points=5)
    campaigns.stop("stopped", by="ana", at=TENTH)
    end = datetime(2026, 2, 1, tzinfo=UTC)
    with connect() as connection:
        found = campaigns.listed(connection)

    assert [[one.state_at(at) for one in found] for at in (end - timedelta(microseconds=1), end)] == [
        ["running", "stopped"],
        ["over", "stopped"],
    ]

"""The report of a campaign against a plain computation, and Welch's interval against known values."""

import statistics
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from loyalty.db.campaigns import Arm
from loyalty.db.engine import connect
from loyalty.errors import Refused
from loyalty.reports import campaign as pages
from loyalty.reports import intervals
from tests.campaigns.conftest import CampaignShop, Opened, Sold, databases, opened

__all__ = ["databases", "opened"]

START = datetime(2026, 1, 1, tzinfo=UTC)
TENTH, FEBRUARY = datetime(2026, 1, 10, 12, tzinfo=UTC), datetime(2026, 2, 1, 9, tzinfo=UTC)
MEMBERS = 240
ARMS = "select customer_id, held_out from loyalty.campaign_members join loyalty.members using (member_no)"


def _arm(spends: list[int]) -> Arm:
    return Arm(len(spends), sum(each > 0 for each in spends), sum(spends), sum(each * each for each in spends))


def test_welchs_interval_is_the_textbooks() -> None:
    """Law: with Student's t at Welch's degrees of freedom; 40 and 31 members, the quantile to three decimals."""
    one, other = [n * n % 97 for n in range(40)], [n * n % 89 for n in range(31)]
    error = (statistics.variance(one) / 40 + statistics.variance(other) / 31) ** 0.5
    found = intervals.difference(_arm(one), _arm(other))

    assert found is not None
    assert found.difference == pytest.approx(statistics.fmean(one) - statistics.fmean(other))
    assert (found.high - found.low) / 2 / error == pytest.approx(1.9975, abs=0.004)
    # tabulated: Student's t of 97.5 % at 10, 30 and 100 degrees of freedom
    assert [round(intervals.quantile(degrees), 3) for degrees in (10, 30, 100)] == [2.228, 2.042, 1.984]


@pytest.mark.parametrize(("treated", "held_out"), [(29, 100), (100, 29), (100, 0)])
def test_a_small_sample_tells_nothing(treated: int, held_out: int) -> None:
    """Law: with fewer than thirty in an arm there is no interval and no smallest effect."""
    arms = _arm([5] * treated), _arm([3] * held_out)
    assert intervals.difference(*arms) is None
    assert intervals.smallest_effect(*arms) is None


def _sold(opened: Opened) -> tuple[CampaignShop, dict[str, int]]:
    """A campaign in which members bought, more in it than held out, some of it brought back; spend by customer."""
    shop = opened()
    before = START - timedelta(days=5)
    shop.sell([Sold(f"B{n}", f"C{n}", before, 500) for n in range(MEMBERS)], START)
    shop.start(START, points=20, holdout=Decimal("0.4"))
    out = {row["customer_id"] for row in shop.rows(ARMS) if row["held_out"]}
    spend = {f"C{n}": 0 if n % 5 == 0 else 1_000 + 10 * n + (0 if f"C{n}" in out else 3_000) for n in range(MEMBERS)}
    rows = [Sold(f"T{customer}", customer, TENTH, amount) for customer, amount in spend.items() if amount]
    back = [Sold("R", "C1", FEBRUARY - timedelta(hours=1), 500, of="TC1")]
    shop.sell([*rows, *back, Sold("late", "C2", FEBRUARY, 9_999)], FEBRUARY)
    spend["C1"] -= 500
    shop.award(FEBRUARY)
    return shop, spend


def test_a_report_tells_what_plain_arithmetic_tells(opened: Opened) -> None:
    """Law: reach, cost, spend of both arms, and the interval are those of the members one by one."""
    shop, spend = _sold(opened)
    arms = shop.rows(ARMS)
    treated = [spend[row["customer_id"]] for row in arms if not row["held_out"]]
    held_out = [spend[row["customer_id"]] for row in arms if row["held_out"]]
    with connect() as connection:
        found = pages.report(connection, "test", FEBRUARY)

    assert (found.treated, found.held_out) == (_arm(treated), _arm(held_out))
    assert found.treated_before == _arm([500] * len(treated))
    assert found.effect == intervals.difference(_arm(treated), _arm(held_out))
    assert found.effect is not None
    assert found.effect.sure
    buyers = sum(each > 0 for each in treated)
    taken = shop.rows("select coalesce(sum(points), 0)::int as points from loyalty.campaign_take_backs")[0]["points"]
    assert (found.results.purchases, found.points, found.cost) == (buyers, 20 * buyers - taken, 20 * buyers - taken)
    page = pages.html(found)
    assert f"{len(held_out)} more held out" in page
    assert "95 % interval: +$" in page
    assert "of its budget of 1,000,000 points is used" in page
    assert "Made from the purchases and refunds known by then" in page
    assert "src=" not in page.replace('src="data:', "")


def test_a_report_of_few_says_so(opened: Opened) -> None:
    """Law: where too few are held out the page says that it can't be told, in place of an interval."""
    shop = opened()
    shop.start(START, points=20, holdout=Decimal("0.5"))
    shop.sell([Sold(f"T{n}", f"C{n}", TENTH, 1_000) for n in range(12)], TENTH)
    shop.award(TENTH)
    with connect() as connection:
        found = pages.report(connection, "test", TENTH)
        with pytest.raises(Refused, match="there is no campaign nothing"):
            pages.report(connection, "nothing", TENTH)

    assert "The sample is too small" in pages.markdown(found)
    assert "can't be told" in pages.html(found).replace("&#39;", "'")

"""Points given for anything but a purchase: once for each member, kind and occasion, and good at once."""

from datetime import UTC, datetime

from sqlalchemy import text

from loyalty.db.engine import transaction
from loyalty.db.grants import Grant, give
from tests.model import Transaction
from tests.till.conftest import Shop, databases, shop
from tests.till.test_at_once import at_once

__all__ = ["databases", "shop"]

JANUARY, FEBRUARY = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 2, 1, 9, tzinfo=UTC)


def _give(occasion: str, points: int, now: datetime = JANUARY) -> bool:
    with transaction() as connection:
        member = connection.execute(text("select member_no from loyalty.members")).scalar_one()
        return give(connection, member, Grant("birthday", occasion, points), now)


def test_a_grant_counts_once_and_is_spent_like_any_point(shop: Shop) -> None:
    """Law (11, 13): of 64 who give the same at once, one does; the points are in the month's statement as adjusted."""
    till = shop()
    till.purchase(Transaction("T1", "C1", JANUARY, 10_000), JANUARY)

    given = at_once(lambda _: _give("2026", 25))

    assert sorted(given) == [False] * 63 + [True]
    assert till.standing("C1", JANUARY) == (35, 0, 0)
    till.close("2026-01", now=FEBRUARY)
    with transaction() as connection:
        stated = connection.execute(
            text("select points_earned, points_adjusted, closing_balance, qualifying_points from loyalty.statements")
        ).one()
        entry = connection.execute(text("select reference, points from loyalty.entries where kind = 'birthday'")).one()
    assert tuple(stated) == (10, 25, 35, 10)
    assert tuple(entry) == ("2026", 25)
    assert till.wrong() == {}


def test_a_grant_after_its_month_closed_goes_to_the_open_one(shop: Shop) -> None:
    """Law (1): what is given as of a closed month is booked in the earliest open one."""
    till = shop()
    till.purchase(Transaction("T1", "C1", JANUARY, 10_000), JANUARY)
    till.close("2026-01", now=FEBRUARY)

    assert _give("late", 5)

    with transaction() as connection:
        period = connection.execute(
            text("select period::text from loyalty.entries where kind = 'birthday'")
        ).scalar_one()
    assert period == "2026-02-01"
    assert till.wrong() == {}

"""Points spent, held, given back."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.db import personal_data, redemptions
from loyalty.db.engine import connect, transaction
from loyalty.db.members import read_member, read_why
from loyalty.db.statements import run
from loyalty.errors import BadInput, NotFound, Refused
from tests.model import Transaction, shift
from tests.till.conftest import Shop
from tests.till.till_product import TillProduct

NOON = datetime(2026, 5, 15, 12, tzinfo=UTC)


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


def with_points(shop: TillProduct, points: int, at: datetime = NOON) -> TillProduct:
    shop.purchase(Transaction(f"T{at:%y%m%d}", "C1", at, points * 1000), at)
    return shop


def two_lots(shop: Shop) -> TillProduct:
    """100 points to 1 June, 100 to 1 July; 150 of them spent on 15 May."""
    till = shop()
    with_points(till, 100, datetime(2025, 5, 10, tzinfo=UTC))
    with_points(till, 100, datetime(2025, 6, 10, tzinfo=UTC))
    till.redeem("C1", 150, NOON)
    return till


def lots(till: TillProduct) -> list[tuple[datetime, int, int, bool]]:
    return [(lot["expires_at"], lot["remaining"], lot["expired"], lot["returned"]) for lot in till.lots("C1")]


def done(work: Any, *args: Any, **more: Any) -> Any:
    with transaction() as connection:
        return work(connection, *args, **more)


def test_the_soonest_to_expire_are_spent_first(shop: Shop) -> None:
    """Law (6): of 100 (1 Jun) and 100 (1 Jul), 150 spent on 15 May: on 1 Jun 0 expire, on 1 Jul 50."""
    till = two_lots(shop)
    seen = [till.standing("C1", at) for at in (NOON, day(6, 1), day(7, 1) - timedelta(microseconds=1), day(7, 1))]
    till.expire(day(7, 1))

    assert seen == [(50, 0, 0), (50, 0, 0), (50, 0, 0), (0, 0, 0)]
    assert lots(till) == [(day(6, 1), 0, 0, False), (day(7, 1), 0, 50, False)]
    assert till.wrong() == {}


def test_an_undo_gives_back_to_the_old_lots(shop: Shop) -> None:
    """Law (6): undone on 20 May the 150 are 100 and 50 of their old lots again, under the old dates."""
    till = two_lots(shop)
    till.cancel("1", day(5, 20))
    again = till.cancel("1", day(5, 21))

    assert again == "cancelled"
    assert lots(till) == [(day(6, 1), 100, 0, False), (day(7, 1), 100, 0, False)]
    assert till.wrong() == {}


def test_an_undo_pays_what_the_same_lot_could_not(shop: Shop) -> None:
    """Law (6): of 100, 80 are spent when it is refunded: 20 are taken, 80 owed. Undone, they pay from their lot."""
    till = with_points(shop(), 100)
    till.redeem("C1", 80, NOON + timedelta(hours=1))
    till.refund(
        Transaction("R1", "C1", NOON + timedelta(hours=2), 100_000, "refund", "T260515"), NOON + timedelta(hours=2)
    )
    owing = till.standing("C1", NOON + timedelta(hours=2))
    till.cancel("1", NOON + timedelta(hours=3))

    assert (owing, till.standing("C1", NOON + timedelta(hours=3))) == ((0, 0, 80), (0, 0, 0))
    with connect() as connection:
        used = connection.execute(text("select points from loyalty.lot_uses order by entry_id")).scalars().all()
        debts = connection.execute(text("select owed from loyalty.debts")).scalars().all()
    assert (used, debts) == ([80, 100], [])
    assert till.wrong() == {}


def test_an_undo_after_a_lots_end_has_some_days_grace(shop: Shop) -> None:
    """Law (6): undone on 10 Jun, 100 are good to the end of 17 Jun in a new lot, 50 are back to 1 Jul."""
    till = two_lots(shop)
    till.cancel("1", day(6, 10))

    assert lots(till) == [
        (day(6, 1), 0, 0, False),
        (day(7, 1), 100, 0, False),
        (day(6, 18), 100, 0, True),
    ]
    assert till.wrong() == {}


def test_a_hold_ends_by_itself(shop: Shop) -> None:
    """Law (10): held points are nobody's to spend; past the time-out they are back, and a commit comes too late."""
    till = with_points(shop(keys={"hold_minutes": 10}), 100)
    held = done(redemptions.hold, "C1", 80, NOON)
    during = till.standing("C1", NOON + timedelta(minutes=9))
    with pytest.raises(Refused) as too_few:
        done(redemptions.redeem, "C1", 21, NOON)
    after = till.standing("C1", NOON + timedelta(minutes=10))
    with pytest.raises(Refused) as too_late:
        done(redemptions.commit, held.redemption_id, NOON + timedelta(minutes=10))
    spent = done(redemptions.redeem, "C1", 100, NOON + timedelta(minutes=10))

    assert (held.state, held.held_until, held.balance) == ("held", NOON + timedelta(minutes=10), 20)
    assert (during, after) == ((20, 0, 0), (100, 0, 0))
    assert str(too_few.value) == "too few points: 20 are available"
    assert str(too_late.value) == "the redemption is lapsed: hold the points again"
    assert (spent.state, spent.balance) == ("committed", 0)
    assert till.wrong() == {}


def test_held_points_do_not_expire_until_the_hold_ends(shop: Shop) -> None:
    """Law (6): a lot that passes while its points are held gives them the grace of an undo, from the hold's end."""
    till = shop(keys={"hold_minutes": 2 * 24 * 60})
    with_points(till, 100, datetime(2025, 5, 10, tzinfo=UTC))
    held = done(redemptions.hold, "C1", 100, day(5, 31))
    till.expire(day(6, 1))
    during = till.standing("C1", day(6, 1))
    seen = [till.standing("C1", at) for at in (day(6, 2), day(6, 9), day(6, 10))]
    till.expire(day(6, 5))

    assert held.held_until == day(6, 2)
    assert during == (0, 0, 0)
    assert seen == [(100, 0, 0), (100, 0, 0), (0, 0, 0)]
    assert lots(till) == [(day(6, 1), 0, 0, False), (day(6, 10), 100, 0, True)]
    assert till.wrong() == {}


def test_a_hold_that_is_over_comes_back_in_its_month(shop: Shop) -> None:
    """Law (6, 10): whoever forgets a hold, its month's statement knows of none, though no daily flow ran before."""
    till = with_points(shop(), 100)
    done(redemptions.hold, "C1", 80, NOON)
    with pytest.raises(Refused):  # what a refusal releases is rolled back with it
        done(redemptions.redeem, "C1", 101, NOON + timedelta(days=1))

    till.close("2026-05", now=day(7, 3))

    with transaction() as connection:
        stated = connection.execute(text("select points_redeemed, closing_balance from loyalty.statements")).all()
        undone = connection.execute(text("select period::text, points from loyalty.entries where kind = 'undo'")).all()
    assert [tuple(row) for row in stated] == [(0, 100)]
    assert [tuple(row) for row in undone] == [("2026-05-01", 80)]
    assert till.wrong() == {}


def test_commit_and_cancel_are_the_same_again(shop: Shop) -> None:
    """Law (10): a second commit, or cancel, changes nothing; what was cancelled can't be committed."""
    till = with_points(shop(), 100)
    held = done(redemptions.hold, "C1", 30, NOON)
    states = [done(redemptions.commit, held.redemption_id, NOON).state for _ in range(2)]
    cancelled = [done(redemptions.cancel, held.redemption_id, NOON) for _ in range(2)]
    with pytest.raises(Refused):
        done(redemptions.commit, held.redemption_id, NOON)

    assert states == ["committed", "committed"]
    assert [(each.state, each.balance) for each in cancelled] == [("cancelled", 100)] * 2
    assert till.wrong() == {}


def test_the_rules_bound_what_is_redeemed(shop: Shop) -> None:
    """Law (10): at least so many, in such steps, at most so many a day; a quote says so before anything is spent."""
    with_points(
        shop(
            keys={
                "redemption_minimum": 20,
                "redemption_step": 10,
                "redemption_day_max": 60,
                "point_value": Decimal("0.015"),
            }
        ),
        200,
    )
    quoted = {points: done(redemptions.quote, "C1", points, NOON).refused for points in (10, 25, 70, 30)}
    worth = done(redemptions.quote, "C1", 30, NOON)
    done(redemptions.redeem, "C1", 40, NOON)
    with pytest.raises(Refused) as refused:
        done(redemptions.redeem, "C1", 30, NOON)
    tomorrow = done(redemptions.redeem, "C1", 30, NOON + timedelta(days=1))

    assert quoted == {
        10: "at least 20 points can be redeemed at once",
        25: "points are redeemed in steps of 10",
        70: "60 more points can be redeemed today",
        30: None,
    }
    assert (worth.worth, worth.currency, worth.left_today) == (Decimal("0.45"), "USD", 60)
    assert str(refused.value) == "20 more points can be redeemed today"
    assert tomorrow.worth == 45


def test_a_gift_makes_a_task_and_keeps_its_points_once_it_is_sent(shop: Shop) -> None:
    """Law (10): points for a gift ask the warehouse; undone before it is sent the task is cancelled, then never."""
    with_points(shop(), 100)
    first = done(redemptions.hold, "C1", 30, NOON, purpose="gift", reference="a mug")
    before = tasks()
    done(redemptions.commit, first.redemption_id, NOON)
    second = done(redemptions.redeem, "C1", 30, NOON, purpose="gift", reference="a bag")
    done(redemptions.cancel, first.redemption_id, NOON)
    with transaction() as connection:
        connection.execute(text("update loyalty.redeemed_gifts set state = 'shipped' where state = 'open'"))
    with pytest.raises(Refused) as sent:
        done(redemptions.cancel, second.redemption_id, NOON)
    with pytest.raises(BadInput):
        done(redemptions.redeem, "C1", 1, NOON, purpose="gift")

    assert before == []
    assert tasks() == [("a mug", "cancelled"), ("a bag", "shipped")]
    assert str(sent.value) == "the gift has left the warehouse: the redemption can't be undone"


def test_a_statement_counts_redemptions_net_of_what_was_undone(shop: Shop) -> None:
    """Law (14): opening + earned - redeemed - expired + adjusted = closing, redeemed being net of undone ones."""
    till = with_points(shop(), 100)
    till.redeem("C1", 30, NOON)
    till.cancel(till.redeem("C1", 50, NOON), NOON)
    till.close("2026-05", now=day(6, 1))
    (row,) = till.statements("2026-05")

    assert (row["points_earned"], row["points_redeemed"], row["closing_balance"]) == ("100", "30", "70")
    assert till.wrong() == {}


def test_nobody_and_nothing_are_not_found(shop: Shop) -> None:
    """Law: an unknown member and an unknown redemption are told as such."""
    shop()
    for work in (
        lambda c: redemptions.redeem(c, "nobody", 1, NOON),
        lambda c: redemptions.quote(c, "nobody", 1, NOON),
        lambda c: redemptions.commit(c, "7", NOON),
        lambda c: redemptions.cancel(c, "7", NOON),
        lambda c: redemptions.find(c, "x", NOON),
    ):
        with pytest.raises(NotFound):
            done(work)


def test_every_point_of_a_till_is_traced(shop: Shop) -> None:
    """Law: `loyalty member --why` names the transaction of each entry, and a past instant shows what was then spent."""
    till = with_points(shop(), 100)
    number = till.redeem("C1", 30, NOON)
    till.cancel(number, NOON + timedelta(days=2))
    member, why = read_why("C1", NOON + timedelta(days=3))
    then = read_member("C1", NOON + timedelta(days=1))

    assert [
        (cause.entry["kind"], cause.entry["reference"], [row["transaction_id"] for row in cause.transactions])
        for cause in why.causes
    ] == [("earn", "T260515", ["T260515"]), ("redeem", "1", []), ("undo", "1", [])]
    assert [use["points"] for use in why.causes[1].uses] == [30]
    assert (member.balance, member.owed) == (100, 0)
    assert (then.balance, then.owed) == (70, 0)


def tasks() -> list[tuple[str, str]]:
    with transaction() as connection:
        found = connection.execute(text("select gift, state from loyalty.redeemed_gifts order by redemption_no"))
        return [(row.gift, row.state) for row in found]


def test_the_first_day_is_the_programmes(shop: Shop) -> None:
    """Law (0): the day of the cap is that of the programme's zone."""
    till = with_points(shop(keys={"redemption_day_max": 10}), 100, day(5, 1))
    evening = datetime.combine(date(2026, 5, 2), datetime.max.time(), tzinfo=UTC)
    spent = [till.redeem("C1", 10, at) for at in (evening, evening + timedelta(microseconds=1))]

    assert spent == ["1", "2"]


def test_a_hold_that_is_over_is_over_for_everybody(shop: Shop) -> None:
    """Law (10): after its time-out the points are back, for a till, the member's page and the export alike."""
    till = with_points(shop(), 100)
    till.redeem("C1", 60, NOON, hold=True)
    later = NOON + timedelta(minutes=30)

    exported = done(personal_data.export, "C1", later)
    redemptions.end_holds("C1", later)
    shown = read_member("C1", later)

    assert [member["balance"] for member in exported["members"]] == [100]
    assert (shown.balance, shown.available, [lot["remaining"] for lot in shown.lots]) == (100, 100, [100])


@pytest.mark.parametrize(
    ("qualify", "counted"), [("trailing_12_months", [100, 0]), ("period", [0, 0]), ("lifetime", [100, 100])]
)
def test_the_window_moves_on_for_who_has_nothing_to_state(shop: Shop, qualify: str, counted: list[int]) -> None:
    """Law (7): points of January 2026, all spent, count at the close of December and no longer at the next one."""
    till = with_points(shop(qualify=qualify), 100, day(1, 10))
    till.redeem("C1", 100, day(2, 10))
    instants = [datetime(2027, month, 2, tzinfo=UTC) for month in (1, 2)]
    for number in range(13):
        period = shift("2026-01", number)
        assert till.close(period, now=till.calendar.end(period) + timedelta(hours=1)) == "closed"

    assert [read_member("C1", at).qualifying_points for at in instants] == counted
    with connect() as connection:
        summary = run(connection, "api/member_summary", customer_id="C1", at=instants[-1]).one()
    assert summary.qualifying_points == counted[-1]

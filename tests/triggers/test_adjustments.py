"""Adjustments by hand: reasons, four eyes above the limit, points taken as a refund takes them."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from loyalty.db import adjustments, approvals
from loyalty.db.engine import connect, transaction
from loyalty.errors import BadInput, LoyaltyError, NotFound, Refused
from loyalty.reports import adjustment, health
from loyalty.reports.formats import MINUS
from tests.till.test_at_once import at_once
from tests.triggers.conftest import JANUARY, Desk, Open

LATER = JANUARY + timedelta(days=1)


def decide(shop: Desk, made: adjustments.Adjustment, by: str, *, approve: bool = True) -> str:
    """Decide the approval of an adjustment."""
    shop.till.tell_time(LATER)
    assert made.approval_no is not None
    return approvals.decide(made.approval_no, approve=approve, by=by, note=None if approve else "no").told


def standing(shop: Desk) -> tuple[int, int, int]:
    """Available, pending, owed."""
    return shop.till.standing("C1", LATER)


def test_points_are_given_and_taken(desk: Open) -> None:
    """Law (11, 14): up to the limit one person may; the soonest-expiring points go first; the month states it."""
    shop = desk()
    shop.put("C1")
    given = shop.adjust("C1", 300, note="Order 4711 was late")
    taken = shop.adjust("C1", -120, LATER, reason="mistake")

    assert [(one.state, one.alone_max, one.approved_by) for one in (given, taken)] == [("posted", 500, None)] * 2
    assert standing(shop) == (180, 0, 0)
    assert shop.till.wrong() == {}
    entries = [
        (row["kind"], row["points"], row["source"], row["reference"], row["reason"]) for row in shop.till.entries()
    ]
    assert entries == [
        ("adjust", 300, "adjustment", "1", "goodwill"),
        ("adjust", -120, "adjustment", "2", "mistake"),
    ]
    shop.till.close("2026-01", now=JANUARY + timedelta(days=25))
    (row,) = shop.till.statements("2026-01")
    assert (row["points_adjusted"], row["closing_balance"]) == ("180", "180")
    with connect() as connection:
        report = health.numbers(connection, date(2026, 1, 1))
    assert report["given"] == [{"kind": "adjust", "members": 1, "times": 2, "given": 300, "taken": 120}]
    shown = " ".join(health.markdown(report).split())
    assert f"| By hand | 1 | 2 | +300 | {MINUS}120 |" in shown
    assert shop.messages() == [
        ("C1", "bonus_credited", "adjust 1", {"reason_kind": "adjust", "points": 300, "balance": 300})
    ]


@pytest.mark.parametrize(("shortfall", "left"), [("owe", (0, 0, 60)), ("write_off", (0, 0, 0))])
def test_what_is_not_there_is_owed_or_written_off(desk: Open, shortfall: str, left: tuple[int, int, int]) -> None:
    """Law (4): a debit by hand beyond what is left follows the rules' policy, as a refund does; a credit pays it."""
    shop = desk(shortfall=shortfall)
    shop.put("C1")
    shop.adjust("C1", 40)
    shop.adjust("C1", -100, LATER)

    assert standing(shop) == left
    assert shop.till.wrong() == {}
    shop.adjust("C1", 70, LATER)
    assert standing(shop) == (70 - left[2], 0, 0)
    assert shop.till.wrong() == {}


@pytest.mark.parametrize("points", [501, -501])
def test_above_the_limit_a_second_person_decides(desk: Open, points: int) -> None:
    """Law (8, 11): nothing moves until somebody else approves; who asked may not; a decision counts once."""
    shop = desk()
    shop.put("C1")
    made = shop.adjust("C1", points)
    assert (made.state, standing(shop)) == ("waiting", (0, 0, 0))
    with pytest.raises(Refused, match="second person"):
        decide(shop, made, "ANN")

    assert decide(shop, made, "bob") == f"{points:+,} points posted to M1"
    with pytest.raises(Refused, match="approved already"):
        decide(shop, made, "cyd")
    assert standing(shop) == ((501, 0, 0) if points > 0 else (0, 0, 501))
    with connect() as connection:
        found = adjustments.find(connection, made.adjustment_no)
        page = adjustment.page(connection, made.approval_no or 0)
    assert (found.state, found.approved_by) == ("posted", "bob")
    assert "| Member | M1 |" in page
    assert shop.till.wrong() == {}


def test_what_is_rejected_or_too_late_is_never_posted(desk: Open) -> None:
    """Law (8): a rejection posts nothing; what nobody decides lapses, and is not posted by silence."""
    shop = desk()
    shop.put("C1")
    no, late = shop.adjust("C1", 1000), shop.adjust("C1", 2000)
    decide(shop, no, "bob", approve=False)
    shop.till.expire(JANUARY + timedelta(days=15))

    with connect() as connection:
        states = [adjustments.find(connection, one.adjustment_no).state for one in (no, late)]
    assert states == ["rejected", "lapsed"]
    assert standing(shop) == (0, 0, 0)
    assert shop.till.wrong() == {}


@pytest.mark.parametrize("approved_by", [None, "Ann"])
def test_the_database_posts_nothing_above_the_limit_alone(desk: Open, approved_by: str | None) -> None:
    """Law (11): no statement gets round the second person, nor changes what was asked, nor sets the limit itself."""
    shop = desk()
    shop.put("C1")
    made = shop.adjust("C1", 1000)
    post = (
        "update loyalty.adjustments set posted_at = asked_at, posted_period = '2026-01-01', posted_cause = 1,"
        " approved_by = :by"
    )
    with pytest.raises((IntegrityError, LoyaltyError)), transaction() as connection:
        connection.execute(text(post), {"by": approved_by})
    with pytest.raises(LoyaltyError), transaction() as connection:
        connection.execute(text("update loyalty.adjustments set alone_max = 100000"))
    with transaction() as connection:
        connection.execute(
            text(
                "insert into loyalty.adjustments (member_no, points, reason, asked_by, asked_at, alone_max)"
                " values (1, 10000, 'goodwill', 'ann', :at, 100000)"
            ),
            {"at": JANUARY},
        )

    assert shop.rows("select alone_max from loyalty.adjustments order by 1") == [(500,), (500,)]
    assert made.state == "waiting"


def test_what_makes_no_sense_is_refused(desk: Open) -> None:
    """Law: a reason that the rules don't list, no points, no member: each is told, and nothing is kept."""
    shop = desk()
    shop.put("C1")
    wrong: tuple[tuple[dict[str, Any], type[LoyaltyError]], ...] = (
        ({"reason": "because"}, BadInput),
        ({"by": "ann@example.com"}, LoyaltyError),
        ({"by": "system"}, BadInput),
    )
    for given, error in wrong:
        with pytest.raises(error):
            shop.adjust("C1", 10, **given)
    with pytest.raises(BadInput):
        shop.adjust("C1", 0)
    with pytest.raises(NotFound):
        shop.adjust("C9", 10)

    assert shop.rows("select * from loyalty.adjustments") == []


def test_a_request_is_one_adjustment(desk: Open) -> None:
    """Law (13): the same request, again, at once, or once it is decided, is the adjustment that it was."""
    shop = desk()
    shop.put("C1")
    made = at_once(lambda _: shop.adjust("C1", 40, request="run 1"), times=8)
    waiting = shop.adjust("C1", 900, request="run 2")
    decide(shop, waiting, "bert", approve=False)

    assert {one.adjustment_no for one in made} == {made[0].adjustment_no}
    assert {one.told for one in made} == {f"adjustment {made[0].adjustment_no} posted: +40 points"}
    again = shop.adjust("C1", 900, LATER, request="run 2")
    assert again.told == f"adjustment {waiting.adjustment_no} is rejected: nothing was posted"
    assert standing(shop) == (40, 0, 0)
    assert shop.till.wrong() == {}

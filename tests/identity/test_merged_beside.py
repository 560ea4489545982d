"""Two members who are one person, in all that stands beside their purchases: nothing is given to them twice."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from loyalty.db import approvals, campaign_awards, campaigns, consents, merges
from loyalty.db.consents import Consent
from loyalty.db.engine import transaction
from loyalty.errors import AlreadyGiven, Refused
from loyalty.rules.campaign import Campaign
from tests.model import Transaction
from tests.triggers.conftest import Desk, Open, databases, desk

__all__ = ["databases", "desk"]

JANUARY = datetime(2026, 1, 10, 12, tzinfo=UTC)
FEBRUARY, MARCH = datetime(2026, 2, 3, 12, tzinfo=UTC), datetime(2026, 3, 3, 12, tzinfo=UTC)
FIELDS = {"email": "a@example.com", "phone": "+442079460001", "first_name": "A", "last_name": "L"}


def merge(keep: str, lose: str, now: datetime) -> None:
    """A merge in a transaction of its own."""
    with transaction() as connection:
        merges.merge(connection, keep, lose, "ann", now)


def unmerge(lose: str, now: datetime) -> None:
    """Undone in a transaction of its own."""
    with transaction() as connection:
        merges.unmerge(connection, lose, "ann", now)


def campaign(desk: Desk, **keys: Any) -> None:
    """Let a campaign of January run."""
    desk.till.tell_time(JANUARY)
    defaults = {"name": "test", "starts_on": "2026-01-01", "ends_on": "2026-01-31", "holdout": 0, "budget": 1000}
    asked = campaigns.ask(Campaign.model_validate(defaults | keys), {}, asked_by="ana", note="", at=JANUARY)
    assert asked.approval_no is not None
    approvals.decide(asked.approval_no, approve=True, by="ben")


def test_what_one_was_given_neither_is_given_again(desk: Open) -> None:
    """Law (13, 15): profile, birthday, share and check-in of the lost member count for the kept one, under both ids.

    Undone, they are two people again.
    """
    shop = desk(birthday_points=10, profile_points=20, share_points=3, check_in_points=4)
    shop.put("C1", JANUARY - timedelta(days=9))
    shop.put("C2", JANUARY - timedelta(days=9), **FIELDS, birthday=date(1990, 1, 10))
    shop.day(JANUARY)
    code = shop.code(shop.location("Soho"), JANUARY)
    shop.share("C2", "x", JANUARY)
    shop.check_in("C2", code, JANUARY)
    given = shop.grants()
    merge("C1", "C2", JANUARY)
    shop.day(JANUARY + timedelta(hours=1))
    for customer in ("C1", "C2"):
        with pytest.raises(AlreadyGiven):
            shop.share(customer, "x", JANUARY)
        with pytest.raises(AlreadyGiven):
            shop.check_in(customer, code, JANUARY)

    assert shop.grants() == given
    assert shop.till.standing("C1", JANUARY + timedelta(hours=1)) == (37, 0, 0)
    next_year = JANUARY.replace(year=2027)
    shop.day(next_year)
    assert [grant for grant in shop.grants() if grant not in given] == [("C1", "birthday", "2027", 10)]
    unmerge("C2", next_year + timedelta(hours=1))
    shop.share("C1", "x", JANUARY)
    assert shop.till.wrong() == {}


def test_visits_of_both_are_the_kept_members(desk: Open) -> None:
    """Law (15): visits of closed months count for who has the purchases; a milestone of one is not given again."""
    shop = desk(visit_points=7, visits_each=3)
    for number in range(3):
        shop.buy(f"B{number}", "C2", JANUARY + timedelta(days=number))
    for number in range(2):
        shop.buy(f"A{number}", "C1", JANUARY + timedelta(days=number + 8))
    shop.till.close("2026-01", now=FEBRUARY)
    shop.day(FEBRUARY)
    totals = "select customer_id, visits::int from visit_totals join members using (member_no) order by 1"
    assert shop.rows(totals) == [("C1", 2), ("C2", 3)]

    merge("C1", "C2", FEBRUARY)

    assert shop.rows(totals) == [("C1", 5)]
    shop.buy("A9", "C2", FEBRUARY)
    shop.day(FEBRUARY)
    assert shop.grants() == [("C1", "visits", "6", 7), ("C2", "visits", "3", 7)]
    unmerge("C2", FEBRUARY + timedelta(hours=1))
    assert shop.rows(totals) == [("C1", 2), ("C2", 3)]
    shop.day(FEBRUARY + timedelta(hours=2))  # A9 was bought by the kept member, whose third visit it is
    assert [grant for grant in shop.grants() if grant[0] == "C2"] == [("C2", "visits", "3", 7)]
    assert shop.till.wrong() == {}


def test_open_referrals_go_over_unless_the_person_came_before(desk: Open) -> None:
    """Law: one between the two is refused, and one of a customer who had bought; others pay the kept member, once."""
    shop = desk(referral_points=30, referred_points=10, referral_year_max=1)
    for name in ("C1", "C2", "C3", "C4", "C5", "C6"):
        shop.put(name)
    shop.buy("T1", "C1", JANUARY)
    shop.refer("C1", "C2")
    shop.refer("C3", "C4")
    shop.refer("C2", "C5")
    shop.refer("C4", "C6")
    merge("C1", "C2", JANUARY)
    merge("C1", "C4", JANUARY)
    shop.buy("T2", "C5", JANUARY)
    shop.buy("T3", "C6", JANUARY)
    shop.buy("T4", "C4", JANUARY)
    shop.day(JANUARY)

    states = shop.rows("select state, reason, referrer_paid from referrals order by referral_no")
    assert states == [
        ("refused", "both are one person", False),
        ("refused", "the member is merged with one who came before", False),
        ("paid", None, True),
        ("paid", None, False),
    ]
    assert [grant[:2] + grant[3:] for grant in shop.grants()] == [
        ("C1", "referral", 30),
        ("C5", "referral", 10),
        ("C6", "referral", 10),
    ]
    with pytest.raises(Refused, match="can't refer themselves"):
        shop.refer("C1", "C4")
    assert shop.till.wrong() == {}


def test_a_referral_of_the_lost_member_is_paid_through_the_kept_one(desk: Open) -> None:
    """Law: a new customer who registered twice is still the one who was brought."""
    shop = desk(referral_points=30, referred_points=10)
    for name in ("C1", "C2", "C3"):
        shop.put(name)
    shop.refer("C3", "C2")
    merge("C1", "C2", JANUARY)
    shop.buy("T1", "C2", JANUARY)

    assert [grant[:2] + grant[3:] for grant in shop.grants()] == [("C1", "referral", 10), ("C3", "referral", 30)]
    assert shop.till.wrong() == {}


def test_a_campaign_treats_both_as_one(desk: Open) -> None:
    """Law (13, 15): the cap counts both members' awards, a refund takes from the kept one, no second voucher comes."""
    shop = desk()
    for name in ("C1", "C2"):
        shop.buy(f"{name}-0", name, JANUARY - timedelta(days=5))
    campaign(shop, name="points", gives="points", points=20, member_cap=50)
    campaign(shop, name="offer", gives="voucher", voucher=2, starts_on="2026-01-12")
    later = JANUARY + timedelta(hours=1)
    for name in ("C1", "C2"):
        shop.buy(f"{name}-1", name, later, 2_000)
    campaign_awards.run(later)
    merge("C1", "C2", later)
    shop.buy("C2-2", "C2", later, 2_000)
    started = datetime(2026, 1, 13, tzinfo=UTC)
    shop.till.refund(Transaction("R1", "C2", later, 2_000, kind="refund", original="C2-1"), started)
    campaign_awards.run(started)

    awards = (
        "select customer_id, a.points::int from campaign_awards a join members using (member_no)"
        " order by transaction_no"
    )
    assert shop.rows(awards) == [("C1", 20), ("C1", 20), ("C1", 10)]
    taken = "select customer_id, t.points::int from campaign_take_backs t join members using (member_no)"
    assert shop.rows(taken) == [("C1", 20)]
    assert shop.rows("select customer_id from vouchers join members using (member_no)") == [("C1",)]
    assert shop.till.wrong() == {}
    unmerge("C2", started)
    assert shop.rows(awards) == [("C1", 20), ("C2", 20), ("C1", 10)]
    campaign_awards.run(started + timedelta(hours=1))
    assert shop.till.wrong() == {}


def test_who_is_drawn_stays_drawn_with_one_voucher(desk: Open) -> None:
    """Law: the kept member takes the lost one's place in a campaign, and no second voucher where one was issued."""
    shop = desk()
    shop.buy("T0", "C2", JANUARY - timedelta(days=5))
    campaign(shop, name="offer", gives="voucher", voucher=2)
    shop.put("C1", JANUARY)
    merge("C1", "C2", JANUARY)
    campaign_awards.run(JANUARY + timedelta(hours=1))

    assert shop.rows("select customer_id, told from campaign_members join members using (member_no) order by 1") == [
        ("C1", False),
        ("C2", True),
    ]
    assert shop.rows("select customer_id from vouchers join members using (member_no)") == [("C2",)]
    unmerge("C2", JANUARY + timedelta(hours=2))
    assert shop.rows("select customer_id from campaign_members join members using (member_no)") == [("C2",)]
    assert shop.till.wrong() == {}


def test_the_stricter_consent_stays_through_later_events(desk: Open) -> None:
    """Law (12, 15): consents end by events, so none comes back by itself; what a lost member withdrew stays so."""
    shop = desk()
    kept = {"email_consent": True, "sms_consent": True}
    shop.put("C1", JANUARY, **FIELDS, **kept)
    shop.put("C2", JANUARY, **kept | {"email_consent": False})
    [(one, other)] = shop.rows("select min(member_no), max(member_no) from members")
    with transaction() as connection:
        consents.record(
            connection,
            [
                Consent(one, "email", "marketing", True, JANUARY, "api"),
                Consent(other, "email", "marketing", False, JANUARY, "api"),
            ],
        )
    merge("C1", "C2", FEBRUARY)
    with transaction() as connection:  # whatever is said of another purpose brings nothing back
        consents.record(connection, [Consent(one, "sms", "marketing", True, FEBRUARY, "api")])
        consents.record(connection, [Consent(other, "sms", "service", False, FEBRUARY, "sms STOP")])
        assert not consents.holds(connection, one, "email", "marketing")

    rows = "select email_consent, sms_consent from members order by member_no"
    assert shop.rows(rows) == [(False, True), (False, False)]
    unmerge("C2", MARCH)
    assert shop.rows(rows) == [(False, True), (False, False)]
    assert shop.till.wrong() == {}


def test_a_consent_comes_back_with_the_lost_member(desk: Open) -> None:
    """Law (12, 15): undone, the lost member agrees to what it did, by an event that later ones don't overrule."""
    shop = desk()
    shop.put("C1", JANUARY)
    shop.put("C2", JANUARY, **FIELDS, email_consent=True)
    merge("C1", "C2", FEBRUARY)
    unmerge("C2", MARCH)
    [(other,)] = shop.rows("select max(member_no) from members")
    with transaction() as connection:
        consents.record(connection, [Consent(other, "email", "marketing", False, MARCH + timedelta(hours=1), "api")])
        assert consents.holds(connection, other, "email", "service")
        told = [(row["given"], row["source"]) for row in consents.history(connection, other)]
    assert told == [(True, "api"), (False, "merge"), (True, "unmerge"), (False, "api")]
    assert shop.till.wrong() == {}

"""Who is in a campaign: drawn once, kept, held out by chance; vouchers within their budget."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from loyalty.db import approvals, campaigns, segments
from loyalty.db.campaign_awards import run
from loyalty.db.engine import connect
from loyalty.errors import BadInput, Refused
from loyalty.rules.campaign import Campaign
from loyalty.rules.voucher_codes import check_symbol
from tests.campaigns.conftest import CampaignShop, Opened, Sold, databases, opened
from tests.till.test_at_once import at_once

__all__ = ["databases", "opened"]

START = datetime(2026, 1, 1, tzinfo=UTC)
TENTH, FEBRUARY = datetime(2026, 1, 10, 12, tzinfo=UTC), datetime(2026, 2, 1, 9, tzinfo=UTC)
WHO = "select member_no, held_out, voucher_code from loyalty.campaign_members order by member_no"


def _filled(opened: Opened, members: int) -> CampaignShop:
    shop = opened()
    before = START - timedelta(days=20)
    shop.sell([Sold(f"T{n}", f"C{n}", before, 1_000 + n) for n in range(members)], START - timedelta(days=1))
    return shop


def test_the_holdout_is_drawn_once_and_kept(opened: Opened) -> None:
    """Law: the share held out is near what was asked for, drawn by member and campaign, never drawn again.

    They get nothing; who joins later is drawn by the same key.
    """
    shop = _filled(opened, 400)
    shop.start(START, points=5, holdout=Decimal("0.25"))
    first = shop.rows(WHO)
    shop.sell([Sold(f"N{n}", f"C{n}", TENTH, 1_000) for n in range(420)], TENTH)
    shop.award(TENTH)
    again = shop.rows(WHO)
    drawn = shop.rows(
        "select member_no, loyalty.campaign_draw(draw_key, member_no) < 0.25 * 2 ^ 48 as held_out"
        " from loyalty.campaigns, loyalty.members order by member_no"
    )
    rewarded = {row["member_no"] for row in shop.rows("select member_no from loyalty.campaign_awards")}

    assert again[:400] == first
    assert [(row["member_no"], row["held_out"]) for row in again] == [tuple(row.values()) for row in drawn]
    assert rewarded == {row["member_no"] for row in again if not row["held_out"]}
    assert shop.wrong() == {}


def test_a_draw_is_even(opened: Opened) -> None:
    """Law: of 100,000 members a key holds out three in ten, within five standard deviations."""
    shop = opened()
    [found] = shop.rows(
        "select count(*) as out from generate_series(1, 100000) as n"
        " where loyalty.campaign_draw('6f9619ff-8b86-d011-b42d-00cf4fc964ff', n) < 0.3 * 2 ^ 48"
    )
    assert abs(found["out"] - 30_000) < 5 * (100_000 * 0.3 * 0.7) ** 0.5


def test_vouchers_keep_to_their_budget_under_64_clients(opened: Opened) -> None:
    """Law (9, 12, 13): of 100 members 33 get a voucher of 3.00 for 100.00, one each, with one message, whoever runs."""
    shop = _filled(opened, 100)
    shop.start(
        START - timedelta(hours=1),
        gives="voucher",
        voucher=3,
        budget=100,
        message="We have missed you.",
        voucher_days=10,
    )
    at_once(lambda _: run(START))

    vouchers = shop.rows("select code, member_no, amount, expires_at from loyalty.vouchers")
    messages = shop.rows("select member_no, facts from loyalty.outbox where kind = 'personal_offer'")
    [spent] = shop.rows("select spent, budget from loyalty.campaigns")
    assert (len(vouchers), len({row["member_no"] for row in vouchers})) == (33, 33)
    assert spent == {"spent": 9_900, "budget": 10_000}
    assert {row["expires_at"] for row in vouchers} == {datetime(2026, 1, 12, tzinfo=UTC)}
    assert all(check_symbol(row["code"][:12]) == row["code"][12] for row in vouchers)
    assert {row["member_no"]: row["facts"]["voucher"] for row in messages} == {
        row["member_no"]: row["code"] for row in vouchers
    }
    assert messages[0]["facts"] | {"voucher": ""} == {
        "campaign": "test",
        "text": "We have missed you.",
        "voucher": "",
        "amount": 300,
        "currency": "USD",
        "expires_at": "2026-01-12T00:00:00+00:00",
    }
    shop.close("2025-12", now=FEBRUARY)
    shop.close("2026-01", now=FEBRUARY)
    assert shop.wrong() == {}


def test_members_are_those_whom_the_conditions_fit_as_it_is_approved(opened: Opened) -> None:
    """Law: tiers, segments and scores are those of that moment; who fits later is not in it."""
    shop = _filled(opened, 10)
    long_ago = START - timedelta(days=100)
    shop.sell([Sold("O1", "old", long_ago, 9_000), Sold("O2", "loyal", long_ago, 9_000)], START)
    shop.sell([Sold("O3", "loyal", START, 9_000)], START)
    segments.compute(START, START)
    shop.start(START, points=5, segments=["one_time"], tiers=["Bronze"], money=[4, 5])
    shop.sell([Sold("N1", "new", TENTH, 9_000), Sold("O4", "old", TENTH, 9_000)], TENTH)
    segments.compute(TENTH, TENTH)

    shop.award(TENTH)

    assert shop.awards() == {"O4": ("test", 5)}


def test_a_campaign_waits_for_a_second_person(opened: Opened) -> None:
    """Law (8): nothing is given before another approves; a rejected one is asked for again only by saying so."""
    shop = opened()
    shop.tell_time(START)
    wanted = Campaign.model_validate(
        {"name": "t", "starts_on": "2026-01-01", "ends_on": "2026-01-31", "gives": "points", "points": 5, "budget": 50}
    )
    asked = campaigns.ask(wanted, {}, asked_by="ana", note="", at=START)
    number = asked.approval_no or 0
    shop.sell([Sold("T1", "C1", TENTH, 1_000)], TENTH)
    assert shop.award(TENTH).purchases == 0
    with pytest.raises(Refused, match="who asked may not decide"):
        approvals.decide(number, approve=True, by="ana")
    approvals.decide(number, approve=False, by="ben", note="too dear")

    with pytest.raises(Refused, match="ben rejected this very campaign"):
        campaigns.standing(wanted)
    assert campaigns.standing(wanted, ask_again=True) is None
    again = campaigns.ask(wanted, {}, asked_by="ana", note="", at=datetime(2026, 1, 30, tzinfo=UTC))
    shop.tell_time(datetime(2026, 2, 1, tzinfo=UTC))
    late = approvals.decide(again.approval_no or 0, approve=True, by="ben")
    assert (again.attempt, late.state) == (2, "lapsed")
    assert late.told == "lapsed, and nothing was given: the time of t is over"


def test_what_does_not_fit_the_programme_is_said(opened: Opened) -> None:
    """Law: a tier that is not there, money finer than the currency, segments that nobody computed are refused."""
    keys = {"name": "t", "starts_on": "2026-01-01", "ends_on": "2026-01-31", "gives": "voucher", "budget": 50}
    opened().tell_time(START)
    with connect() as connection:
        for more, error, said in (
            ({"voucher": "1.005"}, BadInput, "t: voucher: must have at most 2 decimals, as USD has, not 1.005"),
            ({"voucher": 1, "tiers": ["Gild"]}, BadInput, "the tiers are Bronze, Silver, Gold, Platinum"),
            ({"voucher": 1, "recency": [1]}, Refused, "run `loyalty segments compute`"),
        ):
            with pytest.raises(error, match=said):
                campaigns.check(connection, _campaign(keys | more), START)


def _campaign(keys: dict[str, object]) -> Campaign:
    return Campaign.model_validate(keys | {"voucher": Decimal(str(keys["voucher"]))})

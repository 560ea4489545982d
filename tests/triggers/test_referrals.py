"""Referrals: both sides once, when the referred one has bought; nobody refers themselves."""

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.db.engine import transaction
from loyalty.errors import NotFound, Refused
from tests.model import Transaction
from tests.till.test_at_once import at_once
from tests.triggers.conftest import JANUARY, Open

LATER = JANUARY + timedelta(hours=1)
BOTH = {"referral_points": 50, "referred_points": 25}


def test_both_sides_are_paid_once_with_the_purchase(desk: Open) -> None:
    """Law (13): of 32 purchases at once after a referral one pays both; its answer has the balance after all of it."""
    shop = desk(**BOTH)
    shop.put("C1")
    shop.put("C2")
    shop.refer("C1", "C2")

    at_once(lambda n: shop.buy(f"T{n}", "C2", LATER), 32)
    shop.buy("T99", "C2", LATER)
    shop.day(LATER + timedelta(days=1))

    assert shop.grants() == [("C1", "referral", "1", 50), ("C2", "referral", "1", 25)]
    facts = {"reason_kind": "referral", "points": 50, "balance": 50}
    assert shop.messages()[0] == ("C1", "bonus_credited", "referral 1", facts)
    assert shop.rows("select state, referrer_paid, settled_at from loyalty.referrals") == [("paid", True, LATER)]
    assert shop.till.wrong() == {}


def test_imported_purchases_are_found_by_the_daily_run(desk: Open) -> None:
    """Law: what comes by file pays at the next day's run, once; a sale of nothing, or from before, pays nothing."""
    shop = desk(earning="monthly", **BOTH)
    for customer in ("C1", "C2", "C3", "C4"):
        shop.put(customer)
    for referred in ("C2", "C3", "C4"):
        shop.refer("C1", referred)
    rows = [
        Transaction("T1", "C2", LATER, 500),
        Transaction("T2", "C3", LATER, 0),
        Transaction("T3", "C4", JANUARY - timedelta(days=1), 500),
    ]
    shop.till.record(rows, JANUARY + timedelta(days=1))

    first = shop.day(JANUARY + timedelta(days=1)).granted["referral"]
    second = shop.day(JANUARY + timedelta(days=1)).granted["referral"]

    assert (first, second) == (2, 0)
    assert shop.grants() == [("C1", "referral", "1", 50), ("C2", "referral", "1", 25)]
    assert shop.till.wrong() == {}


SHARED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "e-mail address": ({"email": "Ada@Example.com"}, {"email": "ada@example.COM"}),
    "phone number": ({"phone": "+1 555 555-0101"}, {"phone": "+15555550101"}),
    "card": ({"card": "4111 1111 1111 1111"}, {"card": "4111111111111111"}),
    "address": ({"address": "1 Main St., 12345"}, {"address": "1 main st 12345"}),
    "device": ({"device": "6F-1C"}, {"device": "6f1c"}),
}


def test_nobody_refers_themselves(desk: Open) -> None:
    """Law: two who share a card, an address, a device, an e-mail address or a phone are one, whenever that is found."""
    shop = desk(**BOTH)
    for shared, (one, other) in SHARED.items():
        a, b, c = (f"{shared}-{name}" for name in "abc")
        shop.put(a, **one)
        shop.put(b, **other)
        with pytest.raises(Refused, match=f"both have the same {shared}"):
            shop.refer(a, b)
        shop.put(c)
        shop.refer(a, c)
        shop.put(c, LATER, **other)  # after the referral, before the purchase
        shop.buy(f"T-{shared}", c, LATER)

    assert shop.grants() == []
    assert shop.rows("select state, reason from loyalty.referrals order by referral_no") == [
        ("refused", f"both have the same {shared}") for shared in SHARED
    ]
    kept = [digest for (digest,) in shop.rows("select digest::text from loyalty.member_traits")]
    assert len(kept) == 9
    assert all(re.fullmatch(r"\\x[0-9a-f]{64}", digest) for digest in kept)


def test_what_can_not_be_referred_is_refused_with_its_reason(desk: Open) -> None:
    """Law: who has bought, was referred, refers back, or is not known can't be referred."""
    shop = desk(**BOTH)
    for customer in ("C1", "C2", "C3"):
        shop.put(customer)
    shop.buy("T1", "C3", JANUARY)
    shop.refer("C1", "C2")
    told = []
    for referrer, referred in (("C1", "C1"), ("C1", "C2"), ("C2", "C1"), ("C1", "C3"), ("C1", "C9")):
        with pytest.raises(Refused) as refused:
            shop.refer(referrer, referred)
        told.append((str(refused.value), isinstance(refused.value, NotFound)))

    assert told == [
        ("a member can't refer themselves", False),
        ("the member was referred before", False),
        ("the two would refer each other", False),
        ("the member has bought before", False),
        ("there is no member with this customer_id", True),
    ]


def test_a_years_most_holds_under_any_order(desk: Open) -> None:
    """Law: of 12 who buy at once or come by file, 3 pay the referrer, each pays who came; a new year counts anew."""
    shop = desk(referral_year_max=3, **BOTH)
    shop.put("C0")
    order = list(range(1, 13))
    random.Random(7).shuffle(order)
    for number in order:
        shop.put(f"C{number}")
        shop.refer("C0", f"C{number}")

    at_once(lambda n: shop.buy(f"T{n}", f"C{order[n]}", LATER), 8)
    with transaction():
        shop.till.record([Transaction(f"F{n}", f"C{order[n]}", LATER, 500) for n in range(8, 12)], LATER)
    shop.day(LATER + timedelta(days=1))
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    shop.put("C20", new_year)
    shop.refer("C0", "C20", new_year)
    shop.buy("T20", "C20", new_year)

    given = shop.grants()
    assert [points for customer, _, _, points in given if customer == "C0"] == [50] * 4
    assert sorted(customer for customer, _, _, points in given if points == 25) == sorted(
        [*(f"C{number}" for number in range(1, 13)), "C20"]
    )
    assert shop.till.wrong() == {}

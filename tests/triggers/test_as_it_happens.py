"""Points given as something happens: registering, a complete profile, sharing."""

from datetime import UTC, datetime, timedelta

import pytest

from loyalty.errors import AlreadyGiven, Refused
from tests.till.test_at_once import at_once
from tests.triggers.conftest import JANUARY, Open

ADA = {
    "email": "ada@example.com",
    "phone": "+15555550101",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "birthday": "1990-12-10",
}


def test_registering_and_a_complete_profile_give_points_once(desk: Open) -> None:
    """Law (13): of 64 who register a customer at once, and who complete the profile, one does; each is told once."""
    shop = desk(registration_points=50, profile_points=20)

    at_once(lambda _: shop.put("C1"))
    at_once(lambda _: shop.put("C1", JANUARY + timedelta(days=1), **ADA))
    shop.put("C1", JANUARY + timedelta(days=2), phone=None)
    shop.put("C1", JANUARY + timedelta(days=3), phone="+15555550102")

    assert shop.grants() == [("C1", "profile", "once", 20), ("C1", "registration", "once", 50)]
    assert shop.messages() == [
        ("C1", "bonus_credited", "profile once", {"reason_kind": "profile", "points": 20, "balance": 70}),
        ("C1", "welcome", "once", {"points": 50}),
    ]
    assert shop.till.wrong() == {}


def test_a_share_counts_once_a_day_and_channel(desk: Open) -> None:
    """Law: of 64 shares at once on a channel one counts; another channel counts, and so does the next local day."""
    shop = desk(share_points=3, share_channels=("x", "instagram"))
    shop.put("C1")

    shared = at_once(lambda _: shop.share("C1", "x", JANUARY))
    shop.share("C1", "instagram", JANUARY)
    with pytest.raises(AlreadyGiven):
        shop.share("C1", "instagram", datetime(2026, 1, 10, 23, 59, tzinfo=UTC))
    shop.share("C1", "instagram", datetime(2026, 1, 11, tzinfo=UTC))

    assert len([one for one in shared if one]) == 1
    assert [occasion for _, _, occasion, _ in shop.grants()] == [
        "2026-01-10 instagram",
        "2026-01-10 x",
        "2026-01-11 instagram",
    ]
    assert shop.till.standing("C1", JANUARY + timedelta(days=1)) == (9, 0, 0)
    assert shop.till.wrong() == {}


def test_what_the_rules_do_not_list_is_refused(desk: Open) -> None:
    """Law: a trigger that is off, a channel that is not listed, a member who is not known: each is told as that."""
    shop = desk(share_points=3)
    off = desk()
    off.put("C1")
    with pytest.raises(Refused, match="no points for sharing"):
        off.share("C1", "x", JANUARY)
    with pytest.raises(Refused, match="no points for checking in"):
        off.check_in("C1", "LOYALTY:1:20260110:" + 26 * "A", JANUARY)
    with pytest.raises(Refused, match="no points for referrals"):
        off.refer("C1", "C2")
    assert off.grants() == []
    assert shop.till is not off.till

"""The model of the rules: its defaults, and that it can't be wrong or be changed."""

from datetime import date, time
from decimal import Decimal

import pytest
from pydantic import ValidationError

from loyalty.errors import BadInput
from loyalty.rules.programme import Programme, Tier

DEFAULTS = {
    "name": "Loyalty",
    "currency": "USD",
    "starts_on": date(1990, 1, 1),
    "languages": ("en", "es", "ar"),
    "rate": Decimal("0.10"),
    "earning": "monthly",
    "window": "period",
    "pending_days": 0,
    "earn_on_tax": False,
    "earn_on_shipping": False,
    "earn_on_tip": False,
    "earn_on_fee": False,
    "earn_on_gift_card": False,
    "earn_on_paid_with_points": False,
    "shortfall": "owe",
    "expiry_months": 12,
    "expiry_warning_days": 30,
    "undo_grace_days": 7,
    "qualify": "trailing_12_months",
    "hold_months": 3,
    "downgrade": "one_step",
    "review_above_points": None,
    "review_days": 14,
    "review_overdue": "lapse",
    "review_reminder_days": 3,
    "review_again_months": 6,
    "approvers": (),
    "review_code": False,
    "change_rules_alone": False,
    "reward_again_months": 12,
    "voucher_days": 90,
    "voucher_warning_days": 14,
    "redemption_minimum": 1,
    "redemption_step": 1,
    "redemption_day_max": None,
    "point_value": Decimal("0.01"),
    "hold_minutes": 15,
    "adjust_alone_max": 500,
    "enrolment": "first_purchase",
    "adjust_reasons": ("goodwill", "complaint", "missing_points", "mistake", "other"),
    "registration_points": 0,
    "profile_points": 0,
    "referral_points": 0,
    "referred_points": 0,
    "referral_year_max": 10,
    "share_points": 0,
    "share_channels": ("facebook", "instagram", "tiktok", "whatsapp", "x"),
    "check_in_points": 0,
    "check_in_grace_minutes": 60,
    "birthday_points": 0,
    "anniversary_points": 0,
    "visit_points": 0,
    "visits_each": 10,
    "milestone_days": 7,
    "claim_days": 30,
    "receipts": False,
    "sms_from": time(8),
    "sms_until": time(21),
    "quiet_email": False,
    "offers_consent": "included",
    "offers_week_max": None,
    "velocity": (),
    "tiers": (
        {"name": "Bronze", "threshold": 0, "multiplier": 1, "review": False, "voucher": 0, "gift": ""},
        {"name": "Silver", "threshold": 120, "multiplier": 1, "review": False, "voucher": 5, "gift": ""},
        {
            "name": "Gold",
            "threshold": 250,
            "multiplier": Decimal("1.25"),
            "review": True,
            "voucher": 10,
            "gift": "",
        },
        {
            "name": "Platinum",
            "threshold": 550,
            "multiplier": Decimal("1.5"),
            "review": True,
            "voucher": 25,
            "gift": "Platinum welcome box",
        },
    ),
}


def test_default_programme() -> None:
    """The default is the one that semantics describes."""
    assert Programme().model_dump() == DEFAULTS


def test_programme_cannot_be_changed() -> None:
    """Rules are values: another rule is another programme."""
    programme = Programme()

    with pytest.raises(ValidationError):
        programme.rate = Decimal(1)  # type: ignore[misc]


def test_programme_made_in_python_is_checked_alike() -> None:
    """A float is no exact number, and a ladder must climb wherever it comes from."""
    with pytest.raises(ValidationError, match="must be a number from 0 to 1000000"):
        Programme(rate=0.1)
    with pytest.raises(ValidationError, match="tier 1: threshold: must be 0 for the first tier"):
        Programme(tiers=(Tier(name="Blue", threshold=5),))


def test_amounts_follow_the_currency() -> None:
    """A voucher has no more decimals than its currency; written zeros are none."""
    blue = Tier(name="Blue", threshold=0, voucher=Decimal("500.00"))

    assert Programme(currency="JPY", tiers=(blue,)).tiers[0].voucher == 500
    with pytest.raises(ValidationError, match="must have at most 0 decimals, as JPY has"):
        Programme(currency="JPY", tiers=(Tier(name="Blue", threshold=0, voucher=Decimal("0.5")),))


def test_tier_by_name() -> None:
    """A tier is found by its name; for another name the error lists all."""
    assert Programme().tier("Gold").threshold == 250
    with pytest.raises(BadInput) as error:
        Programme().tier("gold")
    assert str(error.value) == "no tier has that name: the tiers are Bronze, Silver, Gold, Platinum"

"""Every kind of message with sample facts, to look at before a member does."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from loyalty.errors import WrongUse
from loyalty.messages.facts import KINDS, Notice, Voucher, VoucherFacts, read_facts
from loyalty.messages.rendering import has_template, render_email, render_sms
from loyalty.messages.voice import LANGUAGES, voice

_SPRING = "2018-04-01T04:00:00Z"
_CODE = "7CFH2K9MRT4XC"
_VOUCHER: Mapping[str, Any] = {"code": _CODE, "amount": 1000, "currency": "USD", "expires_at": _SPRING}

SAMPLES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "points_credited": {"period": "2017-12", "points": 12, "balance": 1120},
        "tier_upgrade": {
            "tier": "Gold",
            "from": "Silver",
            "period": "2017-12",
            "voucher": _CODE,
            "gift": "Welcome box",
        },
        "tier_at_risk": {"tier": "Gold", "qualifying_points": 200, "threshold": 250, "held_until": "2018-02-01"},
        "tier_changed_down": {"tier": "Silver", "from": "Gold"},
        "voucher_issued": _VOUCHER,
        "voucher_expiring": _VOUCHER,
        "points_expiring": {"points": 40, "expires_at": _SPRING},
    }
)
"""Facts as the outbox holds them, one example of each kind."""


class Preview(NamedTuple):
    """A message as it would be sent; an SMS has only `text`."""

    subject: str
    html: str
    text: str


def sample(kind: str) -> Notice:
    """A notice of that kind to a member called Ana. Raises WrongUse when there is no such kind."""
    if kind not in KINDS:
        raise WrongUse(f"{kind} is no kind of message; there are {', '.join(KINDS)}")
    facts = read_facts(kind, SAMPLES[kind])
    shown = facts.voucher() if isinstance(facts, VoucherFacts) else None
    if kind == "tier_upgrade":
        shown = Voucher(_CODE, 1000, "USD", datetime(2018, 4, 1, 4, tzinfo=UTC))
    return Notice(kind, facts, first_name="Ana", voucher=shown, multiplier=Decimal("1.25"))


def preview(kind: str, language: str) -> Preview:
    """What a member of that language gets, from sample facts. Raises WrongUse for an unknown kind or language."""
    if language not in LANGUAGES:
        raise WrongUse(f"there are no templates in {language}; there are {', '.join(sorted(LANGUAGES))}")
    notice, speaker = sample(kind), voice(language, (language,), "Loyalty", ZoneInfo("America/New_York"))
    if not has_template(kind, language, "email"):
        return Preview("", "", render_sms(notice, speaker))
    email = render_email(notice, speaker)
    return Preview(email.subject, email.html, email.text)

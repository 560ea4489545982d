"""Every kind of message with sample facts, to look at before a member does."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from loyalty.db.approvals import Approval
from loyalty.errors import WrongUse
from loyalty.messages import wording
from loyalty.messages.facts import KINDS, Notice, Voucher, VoucherFacts, read_facts
from loyalty.messages.rendering import has_template, render_email, render_sms
from loyalty.messages.staff_look import RUN_FAILED, RunNews, StaffNews, run_words, staff_html, staff_voice, staff_words
from loyalty.messages.voice import voice
from loyalty.rules.programme import Programme

_SPRING = "2018-04-01T04:00:00Z"
_CODE = "7CFH2K9MRT4XC"
_VOUCHER: Mapping[str, Any] = {"code": _CODE, "amount": 1000, "currency": "USD", "expires_at": _SPRING}
_ZONE = ZoneInfo("America/New_York")
_UNSUBSCRIBE = "https://loyalty.example/u/sample"
_OFFERS = {
    "en": "Spring is here: this voucher is for your next visit.",
    "es": "Ya es primavera: este vale es para tu próxima visita.",
    "ar": "حلّ الربيع! هذه القسيمة لزيارتك القادمة.",
}

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
        "welcome": {"points": 50},
        "birthday": {"points": 25},
        "bonus_credited": {"reason_kind": "referral", "points": 100, "balance": 1220},
        "personal_offer": {"campaign": "spring", "text": _OFFERS["en"], "voucher": _CODE, "expires_at": _SPRING},
        "redemption_receipt": {
            "points": 500,
            "worth": 500,
            "currency": "USD",
            "balance": 620,
            "at": "2018-01-15T17:05:00Z",
            "reference": "order 4711",
        },
        "refund_taken_back": {"points": 12, "balance": -3, "owed": 3},
    }
)
"""Facts as the outbox holds them, one example of each kind."""

_WITH_VOUCHER = ("tier_upgrade", "personal_offer")  # whose voucher is read when the message is sent


STAFF: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "review_waiting": ("managers", "Something waits for a decision."),
        "review_reminder": ("managers", "The deadline of a decision is near."),
        "review_overdue": ("managers", "A decision was not made in time."),
        "review_code": ("managers", "A new one-time code for a decision."),
        "gift_to_dispatch": ("warehouse", "Gifts that wait to be sent."),
        "limit_breached": ("staff", "Something breaks a limit of the rules, and is held."),
        "run_failed": ("ops", "A run failed, crashed or is late."),
    }
)
"""Every kind of message to staff: to whom, and about what."""

_APPROVAL = Approval(
    approval_no=1,
    kind="tier_upgrades",
    occasion="2017-12 Gold 1",
    period=date(2017, 12, 1),
    asked_by="system",
    asked_at=datetime(2018, 1, 1, 5, tzinfo=UTC),
    due_at=datetime(2018, 1, 15, 5, tzinfo=UTC),
    due_on="2018-01-15",
    state="open",
    decided_by=None,
    decided_at=None,
    note=None,
    told=None,
    answers_refused=0,
    last_refusal=None,
    members=37,
)
_LAPSED = replace(_APPROVAL, state="lapsed", told="37 lapsed")
_RUN = "http://127.0.0.1:4200/v2/runs/flow-run/5fb82625-bd55-4819-84f1-954b20983fb4"
_FAILED = RunNews("monthly_loyalty", "2018-01", _RUN, "failed", lambda _otherwise: "2018-01 has not ended yet")
_STAFF_FACTS: Mapping[str, Mapping[str, Any]] = {
    "gift_to_dispatch": {
        "gifts": [
            {"task": "M1253 Platinum", "gift": "Platinum welcome box", "since": "2018-01-01"},
            {"task": "M88 redemption 41", "gift": "Tote bag", "since": "2018-01-02"},
        ]
    },
    "limit_breached": {
        "number": 17,
        "kind": "redemption",
        "reason": "more than 500 points of redemptions of one member in one day",
        "limit": {"kind": "redeem", "per": "member", "window": "day", "of": "points", "most": 500},
    },
}


class Preview(NamedTuple):
    """A message as it would be sent; an SMS has only `text`. `language` is the one it came out in."""

    subject: str
    html: str
    text: str
    language: str


def sample(kind: str) -> Notice:
    """A notice of that kind to a member called Ana. Raises WrongUse when there is no such kind."""
    if kind not in KINDS:
        raise WrongUse(f"{kind} is no kind of message; there are {', '.join(KINDS)}")
    facts = read_facts(kind, SAMPLES[kind])
    shown = facts.voucher() if isinstance(facts, VoucherFacts) else None
    if kind in _WITH_VOUCHER:
        shown = Voucher(_CODE, 1000, "USD", datetime(2018, 4, 1, 4, tzinfo=UTC))
    return Notice(kind, facts, "Ana", shown, Decimal("1.25"), _UNSUBSCRIBE)


def preview(kind: str, language: str, channel: str | None = None, programme: str = "Loyalty") -> Preview:
    """What a member of that language gets, from sample facts; without `channel` an e-mail, if the kind has one.

    A kind that isn't written in the language comes in English, as it would to a member. Raises WrongUse for an
    unknown kind or language, BadInput for a template that is wrong.
    """
    _check_language(language)
    notice, speaker = sample(kind), voice(language, (language,), programme, _ZONE)
    if kind == "personal_offer" and language in _OFFERS:
        notice = replace(notice, facts=notice.facts.model_copy(update={"text": _OFFERS[language]}))
    if channel == "sms" or (channel is None and not has_template(kind, language, "email")):
        spoken = wording.language_of(kind, "sms", (language,))
        return Preview("", "", render_sms(notice, speaker), spoken)
    email = render_email(notice, speaker)
    return Preview(email.subject, email.html, email.text, email.language or language)


def staff_preview(kind: str, language: str = wording.LAST_RESORT, programme: str = "Loyalty") -> Preview:
    """A message to staff of a kind in STAFF, from sample data, where that is the programme's first language.

    Raises WrongUse for an unknown language, BadInput for a template that is wrong.
    """
    _check_language(language)
    speaker = staff_voice(kind, (language,), programme, _ZONE)
    if kind == RUN_FAILED:
        subject, text = run_words(_FAILED, speaker)
        subject = f"{programme}: {subject}"
    else:
        facts = read_facts(kind, _STAFF_FACTS[kind]) if kind in _STAFF_FACTS else None
        asked = _LAPSED if kind == "review_overdue" else _APPROVAL
        coded = kind in {"review_waiting", "review_code"}
        news = StaffNews(None if facts else asked, facts, "4M7K-92FX" if coded else None, None if facts else _RUN)
        subject, text = staff_words(kind, Programme(name=programme, review_code=coded), speaker, news)
    return Preview(subject, staff_html(subject, text, speaker), text, speaker.language)


def _check_language(language: str) -> None:
    there = wording.languages()
    if language not in there:
        raise WrongUse(f"there are no templates in {language}; there are {', '.join(sorted(there))}")


def darkened(html: str) -> str:
    """An e-mail as dark mode shows it, whatever the reader's own is."""
    return html.replace("(prefers-color-scheme: dark)", "all").replace("color-scheme: light dark", "color-scheme: dark")

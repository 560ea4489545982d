"""Messages to staff in the programme's first language."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from itertools import product
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from loyalty.db import inbox
from loyalty.db.approvals import Approval, Kind, State
from loyalty.db.engine import transaction
from loyalty.db.inbox import Event
from loyalty.errors import Held
from loyalty.messages.delivery import Delivered, deliver
from loyalty.messages.facts import read_facts
from loyalty.messages.preview import STAFF, staff_preview
from loyalty.messages.staff_look import StaffNews, staff_voice, staff_words
from loyalty.rules.programme import Measure, Per, Programme, Span
from tests.messages.conftest import Shop

NOON = datetime.fromisoformat("2018-01-15T12:00:00-05:00")
HELD = Event("default", "R1", "redemption", b"d" * 32, b"{}", NOON)
NAMES = {
    "Gold", "Loyalty", "Prefect", "Resume", "Retry", "Runs", "approval", "doctor", "loyalty", "make", "monthly_loyalty",
    "up",
}  # fmt: skip
LIMITS: list[dict[str, Any]] = [
    {"kind": kind, "of": of, "per": per, "window": window, "most": 5}
    for kind, of, per, window in product(("earn", "redeem"), get_args(Measure), get_args(Per), get_args(Span))
]
LIMITS += [{"kind": kind, "hours": 24} for kind in ("redeem_after_change", "refund_after_redemption")]
NIGHT = datetime(2018, 1, 15, 5, tzinfo=UTC)
BATCH = Approval(
    approval_no=7, kind="tier_upgrades", occasion="2017-12 Gold 1", period=date(2017, 12, 1),
    asked_by="anna", asked_at=NIGHT, due_at=NIGHT, due_on="2018-01-15", state="open", decided_by=None, decided_at=None,
    note=None, told=None, answers_refused=0, last_refusal=None, members=2,
)  # fmt: skip


@pytest.mark.parametrize("kind", STAFF)
@pytest.mark.parametrize("language", ["es", "ar"])
def test_nothing_stays_english(kind: str, language: str) -> None:
    """Law: no line is that of the English message but what is typed or followed; in Arabic names alone are Latin."""
    shown, english = staff_preview(kind, language), staff_preview(kind, "en")
    said, typed = _parted(shown.text)
    said_in_english, typed_in_english = _parted(english.text)

    assert shown.language == language
    assert shown.subject != english.subject
    assert set(said) & set(said_in_english) == set()
    assert typed == typed_in_english or kind == "run_failed"  # there the run's own words stand by themselves
    assert language != "ar" or set(re.findall(r"[A-Za-z_]+", " ".join([shown.subject, *said]))) <= NAMES


def _parted(text: str) -> tuple[list[str], list[str]]:
    lines = [line for line in text.splitlines() if line]
    typed = [line for line in lines if line.startswith(("    ", "http"))]
    return [line for line in lines if line not in typed], typed


@pytest.mark.parametrize(
    ("languages", "told_in", "subject"),
    [
        (("en", "es"), "en", "Held for review: a redemption breaks a limit"),
        (("es", "en"), "es", "Pendiente de revisión: un canje incumple un límite"),
        (("ar",), "ar", "بانتظار المراجعة: عملية استخدام نقاط تتجاوز حدًّا"),
        (("de", "es"), "es", "Pendiente de revisión: un canje incumple un límite"),
        (("de",), "en", "Held for review: a redemption breaks a limit"),
    ],
)
def test_the_first_language_is_staffs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, languages: tuple[str, ...], told_in: str, subject: str
) -> None:
    """Law: staff are told in the first of the rules' languages that has the words, in English at last."""
    monkeypatch.setenv("LOYALTY_STAFF_EMAIL", "staff@example.com")
    shop.rules(languages=languages)
    with transaction() as connection:
        inbox.receive(connection, HELD)
        inbox.hold(connection, HELD, Held("too soon", {"kind": "redeem_after_change", "hours": 2}), NOON)

    assert deliver(NOON) == Delivered(sent=1)
    [name] = shop.files()
    told = message_from_bytes((shop.folder / name).read_bytes(), policy=policy.default)
    page = told.get_body(("html",))
    assert (told["Content-Language"], told["Subject"]) == (told_in, subject)
    assert page is not None
    assert f'lang="{told_in}" dir="{"rtl" if told_in == "ar" else "ltr"}"' in page.get_content()


def test_staff_read_slack_in_their_language(shop: Shop, by_slack: Any) -> None:
    """Law: in Slack, too, and commands stay as they are typed."""
    shop.rules(languages=("es",))
    with transaction() as connection:
        inbox.receive(connection, HELD)
        inbox.hold(connection, HELD, Held("too soon", {"kind": "redeem_after_change", "hours": 2}), NOON)
    deliver(NOON)

    [told] = by_slack.accepted
    assert told.text == (
        "*Pendiente de revisión: un canje incumple un límite*\n"
        "Las reglas ponen un límite, y un canje lo incumple: un canje menos de 2\n"
        "horas después de cambiar los datos de contacto. Queda guardado tal como\n"
        "llegó, y no se hace nada con ello hasta que alguien decida.\n\n"
        "En un terminal:\n"
        "    loyalty held show 1\n"
        "    loyalty held release 1 --by HANDLE\n"
        "    loyalty held refuse 1 --by HANDLE --note WHY\n"
    )


@pytest.mark.parametrize("language", ["es", "ar"])
def test_every_limit_has_words_of_its_own(language: str) -> None:
    """Law: no two limits are told alike."""
    told = {_words("limit_breached", language, facts=_breach(limit))[1] for limit in LIMITS}

    assert len(told) == len(LIMITS) == 50


@pytest.mark.parametrize("language", ["en", "es", "ar"])
@pytest.mark.parametrize("kind", ["review_waiting", "review_reminder", "review_overdue", "review_code"])
def test_whatever_is_asked_has_words(kind: str, language: str) -> None:
    """Law: each kind of approval, open or lapsed, that a person or a close asked for, is told, no two alike."""
    states: tuple[State, ...] = ("open", "lapsed") if kind == "review_overdue" else ("open",)
    asking = ("anna", "system") if kind == "review_waiting" else ("anna",)
    every = [
        replace(BATCH, kind=each, state=state, told="2 lapsed", asked_by=by)
        for each, state, by in product(get_args(Kind), states, asking)
    ]
    told = {_words(kind, language, approval=each) for each in every}

    assert len(told) == len(every)


def test_counts_take_their_forms() -> None:
    """Vectors: one, two and many, with the nouns that Spanish and Arabic have for them."""
    told = {
        (language, members): _words("review_code", language, approval=replace(BATCH, members=members))[0]
        for language in ("es", "ar")
        for members in (1, 2, 37)
    }

    assert told == {
        ("es", 1): "Código nuevo para la aprobación 7: 1 ascenso a Gold de diciembre de 2017",
        ("es", 2): "Código nuevo para la aprobación 7: 2 ascensos a Gold de diciembre de 2017",
        ("es", 37): "Código nuevo para la aprobación 7: 37 ascensos a Gold de diciembre de 2017",
        ("ar", 1): "رمز جديد للموافقة 7: ترقية واحدة إلى مستوى Gold لشهر ديسمبر 2017",
        ("ar", 2): "رمز جديد للموافقة 7: ترقيتان إلى مستوى Gold لشهر ديسمبر 2017",
        ("ar", 37): "رمز جديد للموافقة 7: 37 ترقية إلى مستوى Gold لشهر ديسمبر 2017",
    }


def _breach(limit: dict[str, Any]) -> Any:
    return read_facts("limit_breached", {"number": 1, "kind": "redemption", "reason": "too much", "limit": limit})


def _words(kind: str, language: str, *, approval: Approval | None = None, facts: Any = None) -> tuple[str, str]:
    speaker = staff_voice(kind, (language,), "Loyalty", ZoneInfo("America/New_York"))
    return staff_words(kind, Programme(), speaker, StaffNews(approval, facts))

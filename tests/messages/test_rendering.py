"""Every message says what it should, in every language, in both looks."""

import re
from dataclasses import replace
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jinja2 import meta
from sqlalchemy import Connection, text

from loyalty.errors import BadInput, WrongUse
from loyalty.messages.facts import KINDS, read_facts
from loyalty.messages.gsm7 import BASIC, segments
from loyalty.messages.preview import SAMPLES, preview, sample
from loyalty.messages.rendering import environment, has_template, render_email, render_sms
from loyalty.messages.voice import LANGUAGES, TEMPLATES, voice

NEW_YORK = ZoneInfo("America/New_York")
SMS = {"points_credited"}
EMAILS = sorted(KINDS.keys() - SMS)
BOTH = [(kind, language) for kind in EMAILS for language in sorted(LANGUAGES)]
REMOTE = re.compile(r"(?i)\b(?:src|href|background)\s*=|url\(|@import|https?:")


def test_kinds_are_those_of_the_database(connection: Connection) -> None:
    """The kinds with facts are those that the outbox takes, and each has a sample."""
    known = connection.scalars(text("select unnest(enum_range(null::loyalty.message_kind))::text")).all()

    assert set(known) == KINDS.keys() == SAMPLES.keys()


def test_each_language_has_every_message() -> None:
    """A language is complete: no kind falls silent in it, and none has a template that nothing asks for."""
    wanted = {f"{kind}.{tag}.{'sms' if kind in SMS else 'email'}.j2" for kind in KINDS for tag in LANGUAGES}
    wanted |= {f"email.{tag}.j2" for tag in LANGUAGES}

    assert {path.name for path in TEMPLATES.glob("*.j2")} == wanted
    assert {"en", "es"} <= LANGUAGES


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_languages_tell_the_same(kind: str) -> None:
    """The templates of a kind fill the same blocks and ask for the same facts in every language."""
    channel = "sms" if kind in SMS else "email"
    told = {_asked(f"{kind}.{tag}.{channel}.j2") for tag in LANGUAGES}
    filled = {_blocks(f"{kind}.{tag}.{channel}.j2") for tag in LANGUAGES}

    assert (len(told), len(filled)) == (1, 1)
    if channel == "email":
        assert filled == {frozenset({"subject", "preheader", "eyebrow", "heading", "content"})}


@pytest.mark.parametrize(("kind", "language"), BOTH)
def test_email_is_whole_and_safe(kind: str, language: str) -> None:
    """An e-mail renders with nothing undefined, loads nothing from afar, and its text part says what the HTML says."""
    subject, html, plain = preview(kind, language)

    assert subject
    assert f'<html lang="{language}"' in html
    assert not REMOTE.search(html)
    assert max(map(len, plain.splitlines())) <= 80
    spoken = _words(unescape(re.sub(r"(?s)<style>.*?</style>|<title>.*?</title>|<[^>]*>", " ", html)))
    assert set(_words(plain)) - {"--"} <= set(spoken)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("kind", sorted(SMS))
def test_sms_fits_its_alphabet(kind: str, language: str) -> None:
    """An SMS is of the alphabet of SMS; one segment for usual facts, two for the longest there are."""
    usual = preview(kind, language).text
    most = 10**12 - 1
    longest = replace(sample(kind), facts=read_facts(kind, {"period": "2017-09", "points": most, "balance": -most}))
    wide = render_sms(longest, voice(language, (language,), "N" * 80, NEW_YORK))

    assert set(usual + wide) <= BASIC
    assert (segments(usual), segments(wide)) == (1, 2)


def test_english_and_spanish_as_they_are_read() -> None:
    """Numbers, money and dates are the language's own; what ends at midnight ends on the day before."""
    english, spanish = preview("voucher_issued", "en"), preview("voucher_issued", "es")

    assert english.subject == "Your $10.00 voucher is here"
    assert spanish.subject == "Ya tienes tu vale de 10,00 US$"
    assert "Valid through March 31, 2018" in english.text
    assert "Válido hasta el 31 de marzo de 2018 inclusive" in spanish.text
    assert "Voucher code: 7CFH-2K9M-RT4X-C" in english.text
    assert preview("points_credited", "en").text == (
        "Loyalty: you earned 12 points in December 2017. Your balance is 1,120 points."
    )
    assert preview("points_credited", "es").text == (
        "Loyalty: has ganado 12 puntos en diciembre de 2017. Tu saldo es de 1.120 puntos."
    )
    assert preview("tier_at_risk", "en").subject == "Your Gold tier is yours through January 31, 2018"


def test_one_point_is_not_points() -> None:
    """A single point is spoken of in the singular."""
    facts = read_facts("points_credited", {"period": "2017-12", "points": 1, "balance": 1})
    said = {tag: render_sms(replace(sample("points_credited"), facts=facts), _voice(tag)) for tag in ("en", "es")}

    assert said == {
        "en": "Loyalty: you earned 1 point in December 2017. Your balance is 1 point.",
        "es": "Loyalty: has ganado 1 punto en diciembre de 2017. Tu saldo es de 1 punto.",
    }


def test_what_an_upgrade_did_not_bring_is_not_told() -> None:
    """Without voucher, gift and a better rate the upgrade e-mail has no word of them."""
    facts = read_facts("tier_upgrade", {"tier": "Silver", "from": "Bronze", "voucher": None, "gift": None})
    email = render_email(replace(sample("tier_upgrade"), facts=facts, voucher=None, multiplier=None), _voice("en"))

    assert email.subject == "You are now Silver"
    assert not re.search(r"(?i)voucher|gift|\u00d7", email.text + email.html)


def test_names_are_shown_not_obeyed() -> None:
    """A name in HTML is text, whatever it holds; in the text part and subject it stands as it is, on one line."""
    facts = read_facts("tier_changed_down", {"tier": "R&D <b>", "from": "Gold"})
    notice = replace(sample("tier_changed_down"), facts=facts, first_name="<script>alert(1)</script>\nA & B")
    email = render_email(notice, voice("en", ("en",), "Bell & <Sons>", NEW_YORK))

    assert "<script>" not in email.html
    assert "Hi &lt;script&gt;alert(1)&lt;/script&gt; A &amp; B," in email.html
    assert "Bell &amp; &lt;Sons&gt;" in email.html
    assert "Hi <script>alert(1)</script> A & B," in email.text
    assert email.subject == "Your tier is now R&D <b>"


def test_missing_fact_is_told_by_name() -> None:
    """Facts that lack what the message tells are an error that names it, and never its value."""
    with pytest.raises(BadInput) as missing:
        read_facts("points_expiring", {"points": 4})
    with pytest.raises(BadInput) as wrong:
        read_facts("voucher_issued", {**SAMPLES["voucher_issued"], "currency": "XXX-secret"})
    with pytest.raises(BadInput) as unknown:
        read_facts("birthday", {})

    assert str(missing.value) == "fact expires_at: Field required"
    assert str(wrong.value) == "fact currency: Value error, must be a currency of ISO 4217"
    assert str(unknown.value) == "birthday is no kind of message"


def test_no_template_no_message() -> None:
    """A kind has its channels; another one is an error that names the template."""
    with pytest.raises(BadInput) as refused:
        render_sms(sample("tier_upgrade"), _voice("en"))

    assert str(refused.value) == "there is no template tier_upgrade.en.sms.j2"
    assert not has_template("tier_upgrade", "en", "sms")


def test_undefined_in_a_template_is_an_error() -> None:
    """A template that asks for what a notice lacks fails instead of leaving a hole."""
    with pytest.raises(BadInput) as hole:
        render_email(replace(sample("voucher_issued"), voucher=None), _voice("en"))

    assert str(hole.value).startswith("voucher_issued.en.email.j2: ")


def test_preview_refuses_what_there_is_not() -> None:
    """An unknown kind or language is wrong use, and the line says what there is."""
    with pytest.raises(WrongUse) as kind:
        preview("birthday", "en")
    with pytest.raises(WrongUse) as language:
        preview("tier_upgrade", "tlh")

    assert str(kind.value) == f"birthday is no kind of message; there are {', '.join(KINDS)}"
    assert str(language.value) == f"there are no templates in tlh; there are {', '.join(sorted(LANGUAGES))}"


def _voice(language: str) -> Any:
    return voice(language, (language,), "Loyalty", NEW_YORK)


def _syntax(name: str) -> Any:
    return environment("text").parse((TEMPLATES / name).read_text(encoding="utf-8"))


def _asked(name: str) -> frozenset[str]:
    return frozenset(meta.find_undeclared_variables(_syntax(name)))


def _blocks(name: str) -> frozenset[str]:
    return frozenset(environment("text").get_template(name).blocks)


def _words(content: str) -> list[str]:
    return [word.strip(":") for word in content.lower().split()]

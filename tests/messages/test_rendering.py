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
from loyalty.messages import wording
from loyalty.messages.facts import KINDS, Facts, read_facts
from loyalty.messages.gsm7 import BASIC, segments
from loyalty.messages.preview import SAMPLES, STAFF, preview, sample
from loyalty.messages.rendering import has_template, render_email, render_sms
from loyalty.messages.voice import voice
from loyalty.messages.wording import TEMPLATES

NEW_YORK = ZoneInfo("America/New_York")
LANGUAGES = sorted(wording.languages())
CHANNELS = ("email", "sms")
EVERY = [(kind, language) for kind in KINDS for language in LANGUAGES]
REMOTE = re.compile(r"(?i)\b(?:src|background)\s*=|url\(|@import")


def test_kinds_are_those_of_the_database(connection: Connection) -> None:
    """The kinds with facts are those that the outbox takes, and each has a sample."""
    known = connection.scalars(text("select unnest(enum_range(null::loyalty.message_kind))::text")).all()

    assert set(known) == KINDS.keys() == SAMPLES.keys()


def test_each_language_has_every_message() -> None:
    """A language is complete: no kind falls silent in it, and none has a template that nothing asks for."""
    wanted = {f"{kind}.{tag}.{channel}.j2" for kind in KINDS for tag in LANGUAGES for channel in CHANNELS}
    wanted |= {f"{kind}.{tag}.staff.j2" for kind in STAFF for tag in LANGUAGES}
    wanted |= {f"{name}.{tag}.j2" for tag in LANGUAGES for name in ("email", "staff", "words")}

    assert {path.name for path in TEMPLATES.glob("*.j2")} == wanted
    assert LANGUAGES == ["ar", "en", "es"]


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_languages_tell_the_same(kind: str, channel: str) -> None:
    """The templates of a kind fill the same blocks and tell the same facts in every language."""
    facts = frozenset(KINDS[kind].model_fields)
    told = {_asked(f"{kind}.{tag}.{channel}.j2") & facts for tag in LANGUAGES}
    filled = {_blocks(f"{kind}.{tag}.{channel}.j2") for tag in LANGUAGES}

    assert (len(told), len(filled)) == (1, 1)
    if channel == "email":
        own = {"subject", "preheader", "eyebrow", "heading", "content"}
        assert filled == {frozenset(own | {"greeting", "footer", "unsubscribe"})}


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_email_is_whole_and_safe(kind: str, language: str) -> None:
    """An e-mail renders with nothing undefined, loads nothing from afar, and its text part says what the HTML says."""
    subject, html, plain, spoken_in = preview(kind, language)

    assert subject
    assert spoken_in == language
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in html
    assert not REMOTE.search(html)
    assert max(map(len, plain.splitlines())) <= 80
    spoken = _words(unescape(re.sub(r"(?s)<style>.*?</style>|<title>.*?</title>|<!--.*?-->|<[^>]*>", " ", html)))
    assert {word for word in _words(plain) if not word.startswith("https:")} - {"--"} <= set(spoken)


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_nothing_optional_is_needed(kind: str, language: str) -> None:
    """Without any fact that may be missing, name, voucher and link, both channels still say something whole."""
    fields = KINDS[kind].model_fields.items()
    needed = {field.alias or name: SAMPLES[kind][field.alias or name] for name, field in fields if field.is_required()}
    facts = read_facts(kind, needed)
    shown = sample(kind).voucher if kind.startswith("voucher") else None
    bare = replace(sample(kind), facts=facts, first_name="", voucher=shown, multiplier=None, unsubscribe_url=None)
    email, sms = render_email(bare, _voice(language)), render_sms(bare, _voice(language))

    for said in (email.subject, email.text, sms):
        assert said.strip()
        assert not re.search(r"None|  [a-z]|\{|\}| [.,]", re.sub(r"(?m)^ +", "", said))
    assert "<a " not in email.html


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_sms_fits_its_alphabet(kind: str, language: str) -> None:
    """An SMS of a Latin language is of the alphabet of SMS, so that one segment holds 160 letters."""
    assert set(preview(kind, language, "sms").text) <= BASIC


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_sms_never_takes_more_segments_than_allowed(kind: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long names and words are, it fits; what is told in figures stays, what is cut ends in dots."""
    usual = preview(kind, language, "sms").text
    long = dict.fromkeys(KINDS[kind].wordy, "Extraordinary " * 12)
    notice = replace(sample(kind), facts=sample(kind).facts.model_copy(update=long), first_name="Maximiliana " * 7)
    wide = render_sms(notice, voice(language, (language,), "Bell and Sons of Upper Thames Street " * 2, NEW_YORK))

    assert segments(usual) <= 2
    assert segments(wide) <= 2
    if notice.voucher is not None:
        assert "7CFH-2K9M-RT4X-C" in wide
    monkeypatch.setenv("LOYALTY_SMS_SEGMENTS", "10")
    assert "Extraordinary Extraordinary" in render_sms(notice, _voice(language)) or not long


def test_sentences_go_before_words_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is too long loses its last sentences first, then words of others; what must be said is never cut."""
    monkeypatch.setenv("LOYALTY_SMS_SEGMENTS", "1")
    upgrade, speaker = sample("tier_upgrade"), _voice("en")
    gift = upgrade.facts.model_copy(update={"tier": "Gold " * 8})

    assert render_sms(upgrade, speaker) == (
        "Loyalty: you are now Gold. Voucher of $10.00, valid through March 31, 2018: 7CFH-2K9M-RT4X-C. "
        "Every purchase now earns 1.25 times the points."
    )
    assert render_sms(replace(upgrade, facts=gift), speaker).startswith("Loyalty: you are now Gold Gold")
    with pytest.raises(BadInput) as refused:
        render_sms(sample("personal_offer"), _voice("ar"))
    assert str(refused.value) == (
        "personal_offer.ar.sms.j2: takes 2 segments even when shortened, more than LOYALTY_SMS_SEGMENTS, which is 1"
    )


def test_arabic_as_it_is_read() -> None:
    """Arabic counts in its six ways, begins at the right, and keeps codes, minus signs and dollars in their order."""
    mark, left = "\u200f", "\u200e"
    said = []
    for points in (0, 1, 2, 3, 11, 100):
        facts = read_facts("points_credited", {"period": "2017-12", "points": points, "balance": points})
        said.append(render_sms(replace(sample("points_credited"), facts=facts), _voice("ar")))
    owing = preview("refund_taken_back", "ar").text

    assert said == [
        f"{mark}Loyalty: كسبت {earned} في ديسمبر 2017. رصيدك {balance}."
        for earned, balance in (
            ("0 نقطة", "0 نقطة"),
            ("نقطة واحدة", "نقطة واحدة"),
            ("نقطتين", "نقطتان"),
            ("3 نقاط", "3 نقاط"),
            ("11 نقطة", "11 نقطة"),
            ("100 نقطة", "100 نقطة"),
        )
    ]
    assert f"رصيدك: {left}-3 نقاط" in owing
    assert f"{mark}10.00 US${left}" in preview("voucher_issued", "ar").subject
    assert f"{left}7CFH-2K9M-RT4X-C" in preview("voucher_issued", "ar").text
    assert f"\n{mark}Loyalty\n" in f"\n{owing}"


def test_english_and_spanish_as_they_are_read() -> None:
    """Numbers, money and dates are the language's own; what ends at midnight ends on the day before."""
    english, spanish = preview("voucher_issued", "en"), preview("voucher_issued", "es")

    assert english.subject == "Your $10.00 voucher is here"
    assert spanish.subject == "Ya tienes tu vale de 10,00 US$"
    assert "Valid through March 31, 2018" in english.text
    assert "Válido hasta el 31 de marzo de 2018 inclusive" in spanish.text
    assert "Voucher code: 7CFH-2K9M-RT4X-C" in english.text
    assert preview("points_credited", "en", "sms").text == (
        "Loyalty: you earned 12 points in December 2017. Your balance is 1,120 points."
    )
    assert preview("points_credited", "es", "sms").text == (
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
        read_facts("jubilee", {})

    assert str(missing.value) == "fact expires_at: Field required"
    assert str(wrong.value) == "fact currency: Value error, must be a currency of ISO 4217"
    assert str(unknown.value) == "jubilee is no kind of message"


def test_no_template_no_message() -> None:
    """A message that is written nowhere is an error that names the template."""
    with pytest.raises(BadInput) as refused:
        render_sms(replace(sample("tier_upgrade"), kind="jubilee"), _voice("es"))

    assert str(refused.value) == "there is no template jubilee.es.sms.j2"
    assert not has_template("jubilee", "en", "sms")


def test_undefined_in_a_template_is_an_error() -> None:
    """A template that asks for what a notice lacks fails instead of leaving a hole, and says where."""
    with pytest.raises(BadInput) as hole:
        render_email(replace(sample("voucher_issued"), voucher=None), _voice("en"))

    assert str(hole.value) == "voucher_issued.en.email.j2, line 4: 'None' has no attribute 'amount'"


def test_preview_refuses_what_there_is_not() -> None:
    """An unknown kind or language is wrong use, and the line says what there is."""
    with pytest.raises(WrongUse) as kind:
        preview("jubilee", "en")
    with pytest.raises(WrongUse) as language:
        preview("tier_upgrade", "tlh")

    assert str(kind.value) == f"jubilee is no kind of message; there are {', '.join(KINDS)}"
    assert str(language.value) == f"there are no templates in tlh; there are {', '.join(LANGUAGES)}"


def test_the_end_of_an_email_is_lawful(monkeypatch: pytest.MonkeyPatch) -> None:
    """The link to end it and the postal address stand below, in both parts; an offer has words of its own."""
    monkeypatch.setenv("LOYALTY_BRAND_ADDRESS", "1 Main Street, Springfield")
    service, offer = preview("birthday", "en"), preview("personal_offer", "en")

    for shown, words in ((service, "Stop these e-mails"), (offer, "Stop these offers")):
        assert f"{words}: https://loyalty.example/u/sample\n" in shown.text
        assert shown.text.endswith("Loyalty, 1 Main Street, Springfield\n")
        assert re.search(rf'<a [^>]*href="https://loyalty.example/u/sample"[^>]*>{words}</a>', shown.html)
        assert "Loyalty, 1 Main Street, Springfield</p>" in shown.html
    assert "who agreed to offers" in " ".join(offer.text.split())
    assert [kind for kind, facts in KINDS.items() if facts.marketing] == ["personal_offer"]


@pytest.mark.parametrize("kind", ["voucher_issued", "voucher_expiring", "points_expiring", "personal_offer"])
def test_what_ends_says_so(kind: str) -> None:
    """A message about something that ends has nothing to tell from that instant on."""
    facts: Facts = read_facts(kind, SAMPLES[kind])

    assert facts.over_at is not None
    assert facts.over_at.isoformat() == "2018-04-01T04:00:00+00:00"


def _voice(language: str) -> Any:
    return voice(language, (language,), "Loyalty", NEW_YORK)


def _asked(name: str) -> frozenset[str]:
    syntax = _environment().parse((TEMPLATES / name).read_text(encoding="utf-8"))
    return frozenset(meta.find_undeclared_variables(syntax))


def _blocks(name: str) -> frozenset[str]:
    template = _environment().get_template(name)
    parents = meta.find_referenced_templates(_environment().parse((TEMPLATES / name).read_text(encoding="utf-8")))
    inherited = [each for each in parents if each and each.startswith("email.")]
    return frozenset(template.blocks) | frozenset(each for name in inherited for each in _blocks_of(name))


def _blocks_of(name: str) -> frozenset[str]:
    return frozenset(_environment().get_template(name).blocks)


def _environment() -> Any:
    return wording.environment("text", (TEMPLATES,))


def _words(content: str) -> list[str]:
    return [word.strip(":\u200e\u200f") for word in content.lower().split()]

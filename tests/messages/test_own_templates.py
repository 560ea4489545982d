"""Templates of a folder of the user's own: they come first, and what is wrong in one is told by file and line."""

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from loyalty.errors import BadInput, ConfigurationError
from loyalty.messages.preview import preview, sample, staff_preview
from loyalty.messages.rendering import render_email, render_sms
from loyalty.messages.voice import voice

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that LOYALTY_TEMPLATES names."""
    monkeypatch.setenv("LOYALTY_TEMPLATES", str(tmp_path))
    return tmp_path


def test_a_file_of_that_name_takes_the_place_of_ours(folder: Path) -> None:
    """One's own words are said in place of ours, and nothing else changes."""
    ours = preview("points_credited", "en", "sms").text
    (folder / "welcome.en.sms.j2").write_text("Ahoy {{ first_name }} of {{ programme }}!\n", encoding="utf-8")

    assert preview("welcome", "en", "sms").text == "Ahoy Ana of Loyalty!"
    assert preview("points_credited", "en", "sms").text == ours


def test_a_layout_of_ones_own(folder: Path) -> None:
    """The layout and the pieces can be one's own as well, for every e-mail at once."""
    (folder / "html").mkdir()
    (folder / "html" / "layout.j2").write_text("<p>{% block content %}{% endblock %}</p>", encoding="utf-8")

    assert preview("birthday", "es").html.startswith("<p>")
    assert preview("birthday", "es").text.startswith("Loyalty\n")


def test_a_language_of_ones_own_falls_back_kind_by_kind(folder: Path) -> None:
    """What isn't written in a member's language is told in the programme's languages, in order, English at last."""
    (folder / "welcome.fr.sms.j2").write_text("Bienvenue chez {{ programme }} !", encoding="utf-8")
    (folder / "words.fr.j2").write_text("", encoding="utf-8")
    french = voice("fr-CA", ("fr", "es", "en"), "Loyalty", NEW_YORK)
    lonely = voice("fr", ("fr",), "Loyalty", NEW_YORK)

    assert (french.language, french.others, lonely.others) == ("fr", ("es", "en"), ("en",))
    assert render_sms(sample("welcome"), french) == "Bienvenue chez Loyalty !"
    assert render_email(sample("welcome"), french).language == "es"
    assert render_email(sample("welcome"), lonely).subject == "Welcome to Loyalty"
    assert render_sms(sample("voucher_issued"), french).startswith("Loyalty: ya tienes tu vale de 10,00 US$")


def test_staff_are_told_in_words_of_ones_own(folder: Path) -> None:
    """What staff get can be in a language of one's own too, kind by kind, with a frame of that language."""
    (folder / "gift_to_dispatch.fr.staff.j2").write_text(
        "Cadeaux\nÀ {{ programme }}\n\n    {{ facts.gifts[0].task }}\n", "utf-8"
    )
    (folder / "staff.fr.j2").write_text('{% extends "staff.j2" %}{% block greeting %}Bonjour,{% endblock %}', "utf-8")
    shown, other = staff_preview("gift_to_dispatch", "fr"), staff_preview("run_failed", "fr")

    assert (shown.subject, shown.text, shown.language) == ("Cadeaux", "À Loyalty\n\n    M1253 Platinum\n", "fr")
    assert all(said in shown.html for said in ('lang="fr"', "Bonjour,", "À Loyalty", "M1253 Platinum"))
    assert other.language == "en"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("Hi\n{{ ballance }}", "points_credited.en.sms.j2, line 2: 'ballance' is undefined"),
        ("{{ say.number(points }}", "points_credited.en.sms.j2, line 1: unexpected '}', expected ')'"),
        ("\n\n{% if %}", "points_credited.en.sms.j2, line 3: Expected an expression, got 'end of statement block'"),
        ("{{ 1 // (points - 12) }}", "points_credited.en.sms.j2, line 1: integer division or modulo by zero"),
        ('{% include "nowhere.j2" %}', "points_credited.en.sms.j2, line 1: there is no template nowhere.j2"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(folder: Path, words: str, problem: str) -> None:
    """A template's mistake is one line: its file, the line in it, and what is missing; no path, no value."""
    (folder / "points_credited.en.sms.j2").write_text(words, encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        preview("points_credited", "en", "sms")

    assert refused.value.mistakes == (problem,)


def test_a_mistake_in_a_shared_file_names_that_file(folder: Path) -> None:
    """The file that is named is the one to mend, not the one that uses it."""
    (folder / "email.en.j2").write_text(
        '{% extends "layout.j2" %}\n{% block greeting %}Dear {{ nickname }}{% endblock %}', encoding="utf-8"
    )
    with pytest.raises(BadInput, match=r"^email\.en\.j2, line 2: 'nickname' is undefined$"):
        preview("birthday", "en")


def test_a_folder_that_is_not_there_is_a_setting_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its folder nothing is sent in words that nobody chose."""
    monkeypatch.setenv("LOYALTY_TEMPLATES", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError) as refused:
        render_email(replace(sample("birthday")), voice("en", ("en",), "Loyalty", NEW_YORK))

    assert str(refused.value) == f"LOYALTY_TEMPLATES must be a folder that is there, not {tmp_path / 'nowhere'}"

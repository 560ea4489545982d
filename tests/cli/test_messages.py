"""`loyalty messages`: what there is, and how it looks, without a database."""

import json
from pathlib import Path

import pytest

from loyalty.messages.facts import KINDS
from loyalty.messages.preview import STAFF
from tests.cli.conftest import Done, Loyalty


def test_every_kind_is_listed(command: Loyalty) -> None:
    """Law: each kind of message, to members and to staff, stands in the list with its channels and languages."""
    listed = json.loads(command("messages", "kinds", "--json").out)

    assert [row["kind"] for row in listed] == [*KINDS, *STAFF]
    assert listed[0] == {
        "kind": "points_credited",
        "to": "members",
        "channels": ["email", "sms"],
        "languages": ["ar", "en", "es"],
        "about": "Points of a closed month.",
    }
    assert len(command("messages", "kinds").out.splitlines()) == 1 + len(listed)


def test_a_preview_is_a_file(command: Loyalty, tmp_path: Path) -> None:
    """Law: an e-mail becomes a file, by day or by night, or its text; and the subject is said."""
    day, night, words = tmp_path / "day.html", tmp_path / "night.html", tmp_path / "words.txt"
    done = command("messages", "preview", "tier_upgrade", "--out", day)
    command("messages", "preview", "tier_upgrade", "--dark", "--out", night)
    command("messages", "preview", "tier_upgrade", "--language", "es", "--out", words)
    left = command("messages", "preview", "gift_to_dispatch")

    assert done == Done(0, f"Subject: You are now Gold\n{day}\n", "")
    assert "prefers-color-scheme" in day.read_text("utf-8")
    assert "prefers-color-scheme" not in night.read_text("utf-8")
    assert words.read_text("utf-8").startswith("Loyalty\n\nTE DAMOS LA BIENVENIDA A GOLD\n")
    assert Path(left.out.splitlines()[1]).read_text("utf-8").startswith("<!doctype html>")


def test_a_text_message_is_printed(command: Loyalty) -> None:
    """Law: an SMS is shown with its alphabet and how many segments it takes."""
    said = "Loyalty: you earned 12 points in December 2017. Your balance is 1,120 points."
    done = command("messages", "preview", "points_credited", "--channel", "sms")

    assert done == Done(0, f"{said}\n({len(said)} characters of GSM-7, 1 segment)\n", "")
    assert command("messages", "preview", "run_failed", "--channel", "sms").code == 2
    assert command("messages", "preview", "nothing").code == 2


def test_all_templates_are_checked(command: Loyalty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: every mistake of one's own templates is a line, and the exit code 1; ours have none."""
    assert command("messages", "check") == Done(0, "99 templates are in order\n", "")
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "birthday.en.sms.j2").write_text("{{ nobody }}", encoding="utf-8")
    (folder / "run_failed.es.staff.j2").write_text("{{ nothing }}", encoding="utf-8")
    (folder / "jubilee.en.sms.j2").write_text("hooray", encoding="utf-8")
    monkeypatch.setenv("LOYALTY_TEMPLATES", str(folder))
    done = command("messages", "check")

    assert (done.code, done.out) == (1, "")
    assert "birthday.en.sms.j2, line 1: 'nobody' is undefined" in done.err
    assert "run_failed.es.staff.j2, line 1: 'nothing' is undefined" in done.err
    assert "jubilee.en.sms.j2: there is no kind of message jubilee" in done.err

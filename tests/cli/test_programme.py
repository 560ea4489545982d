"""`loyalty migrate`, `rules`, `settings`, `stop`."""

import json
import tomllib
from pathlib import Path

import pytest

from tests.cli.conftest import Loyalty


def test_migrate_sets_the_programme_up_once(loyalty: Loyalty) -> None:
    """Law: the first migrate fixes the zone and installs the rules; a second one changes nothing and says so."""
    first = loyalty("migrate")
    assert (first.code, first.err) == (0, "")
    assert first.out == "rules version 1 is in force since the beginning, months begin in UTC\n"
    again = loyalty("migrate")
    assert (again.code, again.out, again.err) == (0, "the database is up to date: unchanged\n", "")


def test_the_zone_is_fixed(loyalty: Loyalty, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: another zone later is an error that names the setting; none given is the programme's own."""
    monkeypatch.setenv("LOYALTY_TIME_ZONE", "America/New_York")
    assert loyalty("migrate").out.endswith("months begin in America/New_York\n")
    monkeypatch.setenv("LOYALTY_TIME_ZONE", "UTC")
    told = "LOYALTY_TIME_ZONE is UTC, but this programme began in America/New_York and its months can't move: unset it"
    for command in ("migrate", "verify"):
        done = loyalty(command)
        assert (done.code, done.err) == (1, f"loyalty: {told}\n")
    monkeypatch.delenv("LOYALTY_TIME_ZONE")
    assert loyalty("verify").code == 0


def test_a_wrong_first_rules_file_leaves_nothing_half_done(
    loyalty: Loyalty, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Law: with a wrong LOYALTY_RULES nothing is fixed, and a migrate with a right one then does it all."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("rate = -1\n")
    monkeypatch.setenv("LOYALTY_RULES", str(wrong))
    done = loyalty("migrate")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("loyalty: wrong.toml: line 1: rate: ")
    monkeypatch.delenv("LOYALTY_RULES")
    monkeypatch.setenv("LOYALTY_TIME_ZONE", "Europe/Berlin")
    assert loyalty("migrate").out.endswith("months begin in Europe/Berlin\n")


def test_rules_shown_are_taken_back_unchanged(programme: Loyalty, tmp_path: Path) -> None:
    """Law: what show prints, apply takes; again it is the same version; show then prints the same text."""
    shown = programme("rules", "show")
    assert (shown.code, shown.err) == (0, "")
    file = tmp_path / "rules.toml"
    file.write_text(shown.out)
    assert programme("rules", "check", file).out == f"{file}: the rules are valid\n"
    applied = programme("rules", "apply", file, "--from", "2026-02")
    assert applied.out == "rules version 2 is in force from 2026-02\n"
    again = programme("rules", "apply", file, "--from", "2026-02")
    assert (again.code, again.out) == (0, "rules version 2 is in force from 2026-02 already: unchanged\n")
    assert programme("rules", "show") == shown
    told = json.loads(programme("rules", "show", "--json").out)
    assert (told["version"], told["from_period"], told["rules"]["rate"]) == (2, "2026-02", "0.10")
    earlier = json.loads(programme("rules", "show", "--period", "2026-01", "--json").out)
    assert (earlier["version"], earlier["from_period"]) == (1, None)
    assert tomllib.loads(shown.out)["tiers"][0]["name"] == "Bronze"


def test_rules_cannot_change_a_closed_month(two_months: Loyalty, tmp_path: Path) -> None:
    """Law: --from is refused for a closed month, naming the first open one."""
    file = tmp_path / "rules.toml"
    file.write_text("rate = 1\n")
    done = two_months("rules", "apply", file, "--from", "2026-02")
    told = "2026-02 is closed and keeps its rules: new rules can begin with 2026-03, the first open month"
    assert (done.code, done.out, done.err) == (1, "", f"loyalty: {told}\n")


def test_each_mistake_of_a_rules_file_has_its_line(command: Loyalty, tmp_path: Path) -> None:
    """Law: check exits 1 and names file, line and key of every mistake, one line each."""
    file = tmp_path / "rules.toml"
    file.write_text("rate = -1\nhold_months = 1.5\n")
    done = command("rules", "check", file)
    assert (done.code, done.out) == (1, "")
    assert [line.split(": ")[:4] for line in done.err.splitlines()] == [
        ["loyalty", "rules.toml", "line 1", "rate"],
        ["loyalty", "rules.toml", "line 2", "hold_months"],
    ]


def test_settings_show_no_password(command: Loyalty, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: every setting is listed with its value, and no secret in it."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", "postgresql://me:geheim@db.example/loyalty?sslpassword=geheim")
    told = {row["name"]: row["value"] for row in json.loads(command("settings", "--json").out)}
    assert told["LOYALTY_DATABASE_URL"] == "postgresql://me:***@db.example/loyalty"
    assert told["LOYALTY_CLOCK"].startswith("2026-03-03")
    plain = command("settings").out
    assert "LOYALTY_TIME_ZONE" in plain
    assert "geheim" not in plain


def test_a_wrong_setting_is_named(command: Loyalty, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: a setting that can't be read is one line that names it."""
    monkeypatch.setenv("LOYALTY_CLOCK", "yesterday")
    done = command("verify")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("loyalty: LOYALTY_CLOCK must be an ISO 8601 instant")


def test_stop_says_when_nothing_ran(command: Loyalty) -> None:
    """Law: stopping what does not run changes nothing, says so, and succeeds."""
    done = command("stop")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("was not running: unchanged\n")

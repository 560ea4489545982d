"""Settings are read from the environment, when asked."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from loyalty.errors import ConfigurationError, LoyaltyError
from loyalty.settings import Settings, settings


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: with nothing set, the product has an embedded database in .loyalty, its own rules, UTC, real time."""
    monkeypatch.delenv("LOYALTY_HOME")
    assert settings() == Settings.model_construct(
        database_url=None, home=Path(".loyalty"), rules=None, time_zone="UTC", clock=None
    )


def test_the_environment_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: a variable changed meanwhile counts at the next call."""
    monkeypatch.setenv("LOYALTY_TIME_ZONE", "Europe/Berlin")
    assert settings().zone == ZoneInfo("Europe/Berlin")
    monkeypatch.setenv("LOYALTY_TIME_ZONE", "America/New_York")
    assert settings().zone == ZoneInfo("America/New_York")


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: LOYALTY_X= means no LOYALTY_X, as compose files and CI write it."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", "")
    monkeypatch.setenv("LOYALTY_TIME_ZONE", "")
    assert (settings().database_url, settings().time_zone) == (None, "UTC")


def test_the_home_may_be_relative_or_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Law: a relative home is under the working folder, and ~ is understood."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOYALTY_HOME", "here")
    assert settings().home_folder == tmp_path / "here"
    monkeypatch.setenv("LOYALTY_HOME", "~/there")
    assert settings().home_folder == Path.home() / "there"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "Europe", "x" * 300])
def test_an_unknown_zone_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """Law: a zone the tz database lacks is refused, whatever odd text it is."""
    monkeypatch.setenv("LOYALTY_TIME_ZONE", zone)
    with pytest.raises(ConfigurationError) as caught:
        settings()
    told = f"LOYALTY_TIME_ZONE must be a zone of the tz database such as Europe/Berlin, not {zone!r}"
    assert str(caught.value) == told


def test_a_wrong_database_is_refused_without_repeating_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: an error about LOYALTY_DATABASE_URL names the setting and never shows what is in it."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", "mysql://someone:secret@somewhere/db")
    with pytest.raises(ConfigurationError) as caught:
        settings()
    assert str(caught.value) == (
        "LOYALTY_DATABASE_URL must begin with postgresql:// (PostgreSQL 15 or newer is the only database)"
    )
    assert caught.value.__suppress_context__


def test_the_database_url_is_not_shown_in_the_settings_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: printing or logging settings shows no password."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", "postgresql://someone:secret@somewhere/db")
    assert "secret" not in f"{settings()!r} {settings()}"


def test_a_wrong_setting_is_no_loyalty_error() -> None:
    """Law: who handles a failed month can't swallow a wrong setting by accident."""
    assert not issubclass(ConfigurationError, LoyaltyError)

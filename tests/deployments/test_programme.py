"""What deployments are filled in with."""

import re
from pathlib import Path

import pytest
from sqlalchemy import URL

from deployments import programme
from loyalty import clock
from loyalty.db import rules_versions
from loyalty.db.engine import transaction
from loyalty.rules.periods import parse_period
from loyalty.rules.programme import Programme

NOBODY = "http://127.0.0.1:9/api"


@pytest.fixture(autouse=True)
def no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's Prefect."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    programme.known.cache_clear()


def test_the_zone_is_the_programmes(shop: URL) -> None:
    """Law: of a programme that is set up, what it began in, whatever deploys it."""
    assert programme.zone() == "UTC"


def test_before_the_programme_is_set_up_the_setting_counts(
    empty_database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: who deploys first and migrates later has the zone that LOYALTY_TIME_ZONE will fix."""
    monkeypatch.setenv("LOYALTY_TIME_ZONE", "Europe/Madrid")

    assert programme.zone() == "Europe/Madrid"


def test_staff_are_told_in_the_languages_of_the_rules(shop: URL) -> None:
    """Law: those of the rules in force now, not of rules to come."""
    with transaction() as connection:
        for month, languages in (("2026-04", ("es", "en")), ("2026-05", ("ar",))):
            rules = Programme(languages=languages)
            rules_versions.install(connection, rules, from_period=parse_period(month), by="anna", at=clock.now())

    assert programme.languages() == ("es", "en")


def test_before_the_programme_is_set_up_languages_are_the_usual(empty_database: URL) -> None:
    """Law: who deploys first and migrates later registers English, until the next registration."""
    assert programme.languages()[0] == "en"


@pytest.mark.parametrize(("given", "active"), [(None, False), ("off", False), ("on", True)])
def test_new_schedules_rest_unless_told(
    given: str | None, active: bool, shop: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: nothing begins by itself until somebody says so."""
    if given:
        monkeypatch.setenv("LOYALTY_SCHEDULES", given)
    known = programme.known()

    assert set(known["active"].values()) == {active}
    assert known["folder"] == str(programme.ROOT)


def test_the_version_is_that_of_the_code() -> None:
    """Law: release and digest; the same code has the same version."""
    first = programme.version()
    programme.version.cache_clear()

    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{8}", first)
    assert programme.version() == first

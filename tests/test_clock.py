"""The programme clock."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from loyalty import clock
from loyalty.errors import ConfigurationError


def test_without_a_setting_it_is_the_systems() -> None:
    """Law: without LOYALTY_CLOCK the programme's present is the system's, aware, in UTC."""
    before = datetime.now(UTC)
    told = clock.now()
    assert before <= told <= datetime.now(UTC)
    assert told.tzinfo is UTC


def test_it_starts_at_the_setting_with_the_process_and_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: the clock stands at LOYALTY_CLOCK when the process starts, and goes on from there."""
    monkeypatch.setenv("LOYALTY_CLOCK", "2018-01-02T10:00:00-05:00")
    started = datetime(2018, 1, 2, 15, tzinfo=UTC)
    first = clock.now()
    time.sleep(0.01)
    second = clock.now()
    assert started <= first
    assert second - first >= timedelta(milliseconds=10)
    assert second.tzinfo is UTC


def test_a_new_process_starts_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: every process counts from its own start, so a command says the same today and next year."""
    monkeypatch.setenv("LOYALTY_CLOCK", "2018-01-02T10:00:00Z")
    code = "from loyalty import clock; print(clock.now().isoformat())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("2018-01-02T10:00:0")


@pytest.mark.parametrize("value", ["yesterday", "2018-01-02T10:00:00", "2018-13-02T10:00:00Z", "1514887200x"])
def test_no_instant_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Law: a value that is no instant, or has no offset, is refused by the setting's name."""
    monkeypatch.setenv("LOYALTY_CLOCK", value)
    with pytest.raises(ConfigurationError) as caught:
        clock.now()
    assert str(caught.value) == (
        "LOYALTY_CLOCK must be an ISO 8601 instant with an offset, such as 2026-11-01T09:00:00+01:00"
    )

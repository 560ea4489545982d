"""Word to staff about runs that went wrong."""

from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path

import pytest

from loyalty.messages.alerts import alert
from loyalty.settings import settings

SUBJECT, TEXT = "Loyalty: monthly_loyalty 2026-02 failed", "2026-01 is still open\n\nPress Retry.\n"


def _left() -> list[Path]:
    return sorted(settings().home_folder.glob("outbox/*/*"))


def test_the_same_word_twice_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: whatever tells of a run several times, staff read it once; another text is another message."""
    monkeypatch.setenv("LOYALTY_CLOCK", "2026-03-02T10:00:00Z")
    monkeypatch.setenv("LOYALTY_STAFF_EMAIL", "ops@example.com")
    for text in (TEXT, TEXT, "something else"):
        alert(SUBJECT, text)
    first, second = _left()
    emails = [message_from_bytes(file.read_bytes(), policy=SMTP) for file in _left()]
    parts = [next(email.iter_parts()) for email in emails]
    read = {part.get_content().replace("\r\n", "\n") for part in parts}

    assert {file.parent.name for file in (first, second)} == {"2026-03-02"}
    assert read == {TEXT, "something else\n"}


def test_a_subject_can_not_add_headers() -> None:
    """Law: a run's name comes from outside; it stays one line, and its file in the folder."""
    alert("Loyalty: x\r\nBcc: everybody@example.com/../../up", TEXT)
    (file,) = _left()
    email = message_from_bytes(file.read_bytes(), policy=SMTP)

    assert (email["subject"], email["bcc"]) == ("Loyalty: x Bcc: everybody@example.com/../../up", None)
    assert str(email["to"]) == "staff:;"

"""Word to staff about runs that went wrong."""

from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path

import pytest

from loyalty.errors import Unavailable
from loyalty.messages.alerts import alert
from loyalty.settings import settings
from tests.messages.provider_double import ProviderDouble, answer

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


def test_staff_are_told_by_slack_once(by_slack: ProviderDouble) -> None:
    """Law: where staff read Slack a run that went wrong is told there, once, and left as a file too."""
    for _ in range(2):
        alert(SUBJECT, TEXT)

    assert [each.text for each in by_slack.accepted] == [f"*{SUBJECT}*\n{TEXT}"]
    assert len(_left()) == 1


def test_staff_are_told_by_email(by_sendgrid: ProviderDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: by e-mail, word of a run goes out as text and as HTML, in the language that its words are in."""
    monkeypatch.setenv("LOYALTY_STAFF_CHANNEL", "email")
    monkeypatch.setenv("LOYALTY_OPS_EMAIL", "ops@example.com")
    alert("Loyalty: monthly_loyalty 2026-02 ha fallado", "Pulsa Retry.", "es")

    [told] = by_sendgrid.accepted
    words = {part["type"]: part["value"] for part in told.request["content"]}
    assert (told.to, told.request["headers"]["Content-Language"]) == ("ops@example.com", "es")
    assert words["text/plain"] == "Pulsa Retry.\n"
    assert 'lang="es"' in words["text/html"]
    assert "Para el equipo" in words["text/html"]


def test_word_that_slack_did_not_take(by_slack: ProviderDouble) -> None:
    """Law: whoever could not tell staff says so, and the file is there."""
    by_slack.faults.append(answer(503, ""))
    with pytest.raises(Unavailable, match="staff may not have been told: slack: HTTP 503"):
        alert(SUBJECT, TEXT)

    assert len(_left()) == 1

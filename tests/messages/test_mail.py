"""E-mails as other programs read them."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from loyalty.messages.mail import Email, mailbox, message
from loyalty.messages.preview import preview

SENT_AT = datetime(2018, 1, 15, 14, 30, tzinfo=UTC)


def _parsed(email: Email, *, to: str = "ana@example.test", programme: str = "Loyalty") -> tuple[bytes, EmailMessage]:
    raw = message(email, to=to, programme=programme, language="es", message_no=42, sent_at=SENT_AT)
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return raw, parsed


def test_it_reads_back_whole() -> None:
    """Another program's parser finds every header and both parts, character by character, and no defect."""
    shown = preview("tier_upgrade", "es")
    email = Email(shown.subject + " ñ€\N{PARTY POPPER}", shown.html, shown.text)
    raw, parsed = _parsed(email, programme='Bells, "Sons" & Ñandú')

    assert dict(parsed.items()) == {
        "From": '"Bells, \\"Sons\\" & Ñandú" <no-reply@loyalty.invalid>',
        "To": "ana@example.test",
        "Subject": email.subject,
        "Date": "Mon, 15 Jan 2018 14:30:00 +0000",
        "Message-ID": "<42@loyalty.invalid>",
        "Content-Language": "es",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": 'multipart/alternative; boundary="=_loyalty_42"',
    }
    parts = [(part.get_content_type(), part.get_content().replace("\r\n", "\n")) for part in parsed.iter_parts()]
    assert parts == [("text/plain", email.text), ("text/html", email.html)]
    assert [part.defects for part in parsed.walk()] == [[], [], []]
    assert raw.replace(b"\r\n", b"").count(b"\n") == 0
    assert max(map(len, raw.split(b"\r\n"))) <= 78


def test_subject_is_one_header() -> None:
    """Whatever a subject holds, it stays in its header."""
    _, parsed = _parsed(Email("Gold\r\nBcc: all@example.test", "<p>h</p>", "t"))

    assert parsed["Subject"] == "Gold Bcc: all@example.test"
    assert parsed["Bcc"] is None


def test_long_subject_comes_back_whole() -> None:
    """A subject longer than a line is folded, and read as one."""
    subject = " ".join(["Your voucher"] * 20)

    assert _parsed(Email(subject, "h", "t"))[1]["Subject"] == subject


@pytest.mark.parametrize(
    ("written", "fit"),
    [
        ("ana@example.test", "ana@example.test"),
        (" Ana.B+x@Example.test ", "Ana.B+x@Example.test"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
        ("ana", None),
        ("@example.test", None),
        ("ana@", None),
        ("a@b@c.test", None),
        ("ana@example.test\r\nBcc: all@example.test", None),
        ("Ana <ana@example.test>", None),
        ("ana@example.test, bob@example.test", None),
        ("a b@example.test", None),
        ("ana@exa..mple.test", None),
        (f"{'a' * 65}@example.test", None),
        ("", None),
    ],
)
def test_mailbox(written: str, fit: str | None) -> None:
    """Only a single address goes into a header; anything that could break out of it is none."""
    assert mailbox(written) == fit


def test_further_headers_stay_in_their_lines() -> None:
    """Headers for unsubscribing come along, in front of the parts; one that could add another is refused."""
    email = Email("Hello", "<p>h</p>", "t", "ar")
    told = {"to": "ana@example.test", "programme": "Loyalty", "language": "fr", "message_no": 1, "sent_at": SENT_AT}
    raw = message(email, headers={"List-Unsubscribe": "<https://x.example/u/1>"}, **told)  # type: ignore[arg-type]
    parsed = message_from_bytes(raw, policy=policy.default)

    assert (parsed["List-Unsubscribe"], parsed["Content-Language"]) == ("<https://x.example/u/1>", "ar")
    for wrong in ({"X": "a\nBcc: all@x.example"}, {"X:": "a"}, {"X": "ñ"}, {"X Y": "a"}):
        with pytest.raises(ValueError, match="a header is a line of ASCII"):
            message(email, headers=wrong, **told)  # type: ignore[arg-type]


def test_the_sender_is_the_brands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends is the brand's own address, and its domain makes the Message-ID."""
    monkeypatch.setenv("LOYALTY_BRAND_SENDER", "rewards@shop.example")
    _, parsed = _parsed(Email("Hello", "<p>h</p>", "t"))

    assert (parsed["From"], parsed["Message-ID"]) == ("Loyalty <rewards@shop.example>", "<42@shop.example>")

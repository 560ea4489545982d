"""E-mail by SMTP, to a server of the test's own: what arrives, how it is secured, and what a broken session means."""

import re
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from loyalty.errors import ConfigurationError
from loyalty.messages.channels.channel import Accepted, Declined, Letter, NotSent, Sent, Unclear
from loyalty.messages.channels.smtp import Security, Smtp
from loyalty.messages.delivery import Delivered, deliver
from loyalty.messages.mail import Email
from tests.messages.conftest import Shop
from tests.messages.mail_server import MailServer, serving

NOW = datetime.fromisoformat("2018-01-15T12:00:00-05:00")
SENDER = "club@shop.example"


def _letter(to: str = "ana@example.test", text: str = "Hello, Ana\n", number: int = 1) -> Letter:
    return Letter(number, "welcome", to, Email("Hello", "<p>Hello, Ana", text), "Bell & Sons", "en", NOW, sender=SENDER)


@pytest.fixture
def mail_server() -> MailServer:
    """What the server does."""
    return MailServer()


@pytest.fixture
def smtp(mail_server: MailServer) -> Iterator[Smtp]:
    """A channel to a server without TLS."""
    with serving(mail_server) as port, closing(_smtp(port)) as channel:
        yield channel


def _smtp(port: int, security: Security = "none", user: str | None = None, password: str | None = None) -> Smtp:
    return Smtp("127.0.0.1", port, security, user, password, timeout=20)


def test_an_email_arrives_as_it_was_written(smtp: Smtp, mail_server: MailServer) -> None:
    """Law: sender, receiver and both parts arrive; the Message-ID is of the sender's domain."""
    assert smtp.send(_letter()) == Accepted(None)

    [(sender, to, content)] = mail_server.accepted
    parsed = message_from_bytes(content, policy=policy.default)
    plain, html = (part.get_content() for part in parsed.iter_parts())
    assert (sender, to) == (SENDER, ["ana@example.test"])
    assert (parsed["From"], parsed["To"]) == (f"Bell & Sons <{SENDER}>", "ana@example.test")
    assert parsed["Message-ID"] == "<1@shop.example>"
    assert (plain.strip(), html.strip()) == ("Hello, Ana", "<p>Hello, Ana")


@given(raw=st.lists(st.sampled_from([b".", b"..", b"text", b"", b".x"]), max_size=8), ended=st.booleans())
def test_no_line_ends_a_message_early(raw: list[bytes], ended: bool) -> None:
    """Law: whatever lines a message has, dots included, exactly they arrive, each ended by CRLF."""
    server, text = MailServer(), b"\n".join(raw) + (b"\n" if ended else b"")
    with serving(server) as port, closing(_smtp(port)) as channel:
        letter = Letter(1, "k", "a@b.test", Email("", "", ""), "P", "en", NOW, sender=SENDER, raw=text)
        assert channel.send(letter) == Accepted(None)

    lines = re.sub(rb"\r?\n", b"\r\n", text)
    assert server.accepted[0][2] == (lines if lines.endswith(b"\r\n") else lines + b"\r\n")


def test_one_connection_carries_many(smtp: Smtp, mail_server: MailServer) -> None:
    """Law: messages share a connection, also after a refused one, and a new one is made when it is full."""
    mail_server.replies["RCPT"] = ["550 5.1.1 who?"]
    for number in range(110):
        smtp.send(_letter(number=number))

    assert (len(mail_server.accepted), mail_server.sessions) == (109, 2)


@pytest.mark.parametrize(
    ("step", "said", "becomes"),
    [
        ("RCPT", "550 5.1.1 <ana@example.test>: who?", Declined("smtp: 550 5.1.1 <…>: who?", "bad address")),
        ("RCPT", "554 5.7.9 not wanted", Declined("smtp: 554 5.7.9 not wanted")),
        ("RCPT", "450 4.2.1 come back later", NotSent("smtp: 450 4.2.1 come back later")),
        ("RCPT", "421 4.3.2 closing", NotSent("smtp: 421 4.3.2 closing", whole_channel=True)),
        ("MAIL", "451 4.3.0 not now", NotSent("smtp: 451 4.3.0 not now")),
        ("DATA", "451 4.3.0 queue is full", NotSent("smtp: 451 4.3.0 queue is full")),
        ("DATA", "552 5.3.4 too big", Declined("smtp: 552 5.3.4 too big")),
        ("MAIL", "cut", NotSent("smtp: no reply SMTPServerDisconnected", whole_channel=True)),
        ("RCPT", "cut", NotSent("smtp: no reply SMTPServerDisconnected", whole_channel=True)),
        ("DATA", "cut", Unclear("smtp: no reply to the message SMTPServerDisconnected")),
        ("DATA", "cut after", Unclear("smtp: no reply to the message SMTPServerDisconnected")),
    ],
)
def test_replies(smtp: Smtp, mail_server: MailServer, step: str, said: str, becomes: Sent) -> None:
    """Law: before the text is out nothing was sent; from then on only a reply can tell. The next message is fine."""
    mail_server.replies[step] = [said]

    assert smtp.send(_letter()) == becomes
    assert smtp.send(_letter(number=2)) == Accepted(None)
    assert len(mail_server.accepted) == 1 + (said == "cut after")


@pytest.mark.parametrize(
    ("step", "said", "told_as"),
    [
        ("MAIL", "550 no such sender", "LOYALTY_BRAND_SENDER is refused by the mail server: 550"),
        ("MAIL", "530 5.7.0 log in first", "LOYALTY_SMTP_USER is refused, or missing: the mail server says 530"),
        ("RCPT", "554 5.7.1 Relay access denied", "LOYALTY_SMTP_USER is refused, or missing: the mail server says 554"),
    ],
)
def test_what_refuses_us_names_the_setting(
    smtp: Smtp, mail_server: MailServer, step: str, said: str, told_as: str
) -> None:
    """Law: a refusal that no message can help is an error of the settings, not the end of a message."""
    mail_server.replies[step] = [said]
    with pytest.raises(ConfigurationError) as refused:
        smtp.send(_letter())

    assert str(refused.value) == told_as


def test_a_server_that_is_not_there(mail_server: MailServer) -> None:
    """Law: where nobody listens nothing was sent."""
    with serving(mail_server) as port:
        pass
    with closing(_smtp(port)) as channel:
        assert channel.send(_letter()) == NotSent("smtp: no reply ConnectionRefusedError", whole_channel=True)


def test_an_address_beyond_ascii(mail_server: MailServer) -> None:
    """Law: an address in another alphabet goes to a server that takes such addresses."""
    with serving(mail_server, enable_SMTPUTF8=False) as port, closing(_smtp(port)) as plain:
        assert plain.send(_letter("josé@example.test")) == Declined(
            "smtp: the server takes no address like this one (SMTPUTF8)", "bad address"
        )
    with serving(mail_server, enable_SMTPUTF8=True) as port, closing(_smtp(port)) as other:
        assert other.send(_letter("josé@example.test")) == Accepted(None)
    assert mail_server.accepted[0][1] == ["josé@example.test"]


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that this process trusts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"club", b"right"), handled=False)


def _secured(mail_server: MailServer, tls: ssl.SSLContext) -> Any:
    return serving(mail_server, tls_context=tls, require_starttls=True, auth_required=True, authenticator=_login)


def test_secured_by_starttls_and_a_login(mail_server: MailServer, certificate: ssl.SSLContext) -> None:
    """Law: STARTTLS comes before the login, and both before a message."""
    with _secured(mail_server, certificate) as port, closing(_smtp(port, "starttls", "club", "right")) as channel:
        assert channel.send(_letter()) == Accepted(None)
        assert channel.send(_letter(number=2)) == Accepted(None)
    assert len(mail_server.accepted) == 2


def test_secured_from_the_first_byte(mail_server: MailServer, certificate: ssl.SSLContext) -> None:
    """Law: TLS from the first byte is as good."""
    with serving(mail_server, ssl_context=certificate) as port, closing(_smtp(port, "tls")) as channel:
        assert channel.send(_letter()) == Accepted(None)


def test_a_wrong_password(mail_server: MailServer, certificate: ssl.SSLContext) -> None:
    """Law: a refused login is an error of the settings, without the password."""
    with (
        _secured(mail_server, certificate) as port,
        closing(_smtp(port, "starttls", "club", "wrong-one")) as channel,
        pytest.raises(ConfigurationError) as refused,
    ):
        channel.send(_letter())
    assert str(refused.value) == "LOYALTY_SMTP_PASSWORD is refused by the server: 535"


def test_a_certificate_that_nobody_vouches_for(
    mail_server: MailServer, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: certificates are verified, and nothing is sent where that fails, the login neither."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        _secured(mail_server, certificate) as port,
        closing(_smtp(port, "starttls", "club", "right")) as channel,
        pytest.raises(ConfigurationError, match="LOYALTY_SMTP_HOST can't be trusted: self"),
    ):
        channel.send(_letter())


def test_a_server_without_starttls(mail_server: MailServer) -> None:
    """Law: a server that offers no STARTTLS is not trusted with a message when the settings want it."""
    with (
        serving(mail_server) as port,
        closing(_smtp(port, "starttls")) as channel,
        pytest.raises(ConfigurationError, match="LOYALTY_SMTP_SECURITY is starttls"),
    ):
        channel.send(_letter())
    assert mail_server.accepted == []


def test_the_outbox_by_smtp(shop: Shop, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: the outbox goes out by SMTP, each e-mail once, and one whose reply was lost is held for a person."""
    facts = {"points": 40, "expires_at": "2018-04-01T04:00:00Z"}
    for number in range(25):
        shop.queue(shop.member(f"C{number}"), "points_expiring", facts)
    with serving(mail_server) as port:
        for name, value in {
            "EMAIL_CHANNEL": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_SECURITY": "none",
            "BRAND_SENDER": SENDER, "SEND_AT_ONCE": "3",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"LOYALTY_{name}", value)
        mail_server.replies["DATA"] = ["cut after"]

        assert deliver(NOW) == Delivered(sent=24, unknown=1)
        assert deliver(NOW + timedelta(days=1)) == Delivered()
    assert sorted(to for _, [to], _ in mail_server.accepted) == sorted(
        f"C{number}@example.test" for number in range(25)
    )

"""E-mail by SMTP to any server: connections that stay open, one for each thread that sends.

A message counts as given away from the moment that its text goes out until the server has answered it; what breaks in
between is unclear, and only the server's own log, by the Message-ID, can tell. What breaks before is surely not sent.
"""

import re
import smtplib
import ssl
import threading
from collections.abc import Callable
from typing import Literal

from loyalty.errors import ConfigurationError
from loyalty.messages.channels.channel import Accepted, Declined, Letter, NotSent, Sent, Unclear, told

PROVIDER = "smtp"
Security = Literal["starttls", "tls", "none"]

_MOST_PER_CONNECTION = 100  # servers end one that says too much
_OK, _WILL_FORWARD, _GO_ON, _SHUTTING_DOWN = 250, 251, 354, 421
_LOGIN_WANTED = {530, 535, 538}
_PERMANENT = 500
_ADDRESS_FAULTS = re.compile(r"5\.1\.[0-3]\b")  # enhanced codes of RFC 3463: no such mailbox, system or syntax
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Smtp:
    """A mail server, and how connections to it are secured: STARTTLS, TLS from the first byte, or not at all."""

    provider, pace = PROVIDER, None

    def __init__(
        self, host: str, port: int, security: Security, user: str | None, password: str | None, *, timeout: float
    ) -> None:
        """`user` and `password` where the server asks for them; certificates are verified. `timeout` in seconds."""
        self._host, self._port, self._security, self._timeout = host, port, security, timeout
        self._login = (user, password or "") if user else None
        self._tls = ssl.create_default_context() if security != "none" else None
        self._own = threading.local()
        self._open: list[smtplib.SMTP] = []
        self._opening = threading.Lock()

    def send(self, letter: Letter) -> Sent:
        """Try once; ConfigurationError if the server refuses the login or a secure connection."""
        if letter.sender is None:
            raise TypeError("SMTP takes e-mails that have a sender")
        try:
            server = self._connection()
            refusal = self._envelope(server, letter.sender, letter.to)
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError("LOYALTY_SMTP_HOST", f"can't be trusted: {error.verify_message}") from error
        except (OSError, smtplib.SMTPException) as error:  # before any text went out
            self._forget()
            return NotSent(told(PROVIDER, "no reply", type(error).__name__), whole_channel=True)
        if refusal is not None:
            return refusal
        try:
            server.send(_stuffed(letter.as_file()))
            return self._answered(server.getreply())
        except (OSError, smtplib.SMTPException) as error:
            self._forget()
            return Unclear(told(PROVIDER, "no reply to the message", type(error).__name__))

    def close(self) -> None:
        """Take leave of the server."""
        with self._opening:
            for server in self._open:
                _leave(server)
            self._open.clear()

    def _connection(self) -> smtplib.SMTP:
        """This thread's connection, ready for a message: open, secured, logged in."""
        server: smtplib.SMTP | None = getattr(self._own, "server", None)
        if server is not None and self._own.sent < _MOST_PER_CONNECTION and server.sock is not None:
            try:
                if server.rset()[0] == _OK:
                    return server
            except (OSError, smtplib.SMTPException):  # the server ended it while it was idle: another one will do
                pass
        self._forget()
        server = self._connected()
        self._own.server, self._own.sent = server, 0
        with self._opening:
            self._open.append(server)
        return server

    def _connected(self) -> smtplib.SMTP:
        if self._security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=self._tls)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        try:
            if self._security == "starttls":
                _secured(server, self._tls)
            server.ehlo_or_helo_if_needed()
            if self._login:
                _logged_in(server, *self._login)
        except BaseException:
            server.close()
            raise
        return server

    def _envelope(self, server: smtplib.SMTP, sender: str, to: str) -> Sent | None:
        """Say from whom and to whom, and that the text comes; what the server has against it, or None."""
        options = [] if to.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
        if options and not server.has_extn("smtputf8"):
            return Declined(told(PROVIDER, "the server takes no address like this one (SMTPUTF8)"), "bad address")
        if options:
            server.command_encoding = "utf-8"
        steps: tuple[tuple[Callable[[], tuple[int, bytes]], int], ...] = (
            (lambda: server.mail(sender, options), _OK),
            (lambda: server.rcpt(to), _OK),
            (lambda: server.docmd("DATA"), _GO_ON),
        )
        for number, (step, wanted) in enumerate(steps):
            code, said = step()
            if code == wanted or (number == 1 and code == _WILL_FORWARD):
                continue
            _refuses_us(code, said, about_sender=number == 0)
            return self._answered((code, said), about_address=number == 1)
        return None

    def _answered(self, reply: tuple[int, bytes], *, about_address: bool = False) -> Sent:
        code, said = reply[0], reply[1].decode("utf-8", "replace")
        self._own.sent += 1
        if code == _OK:
            return Accepted(None)
        line = told(PROVIDER, code, said)
        if code >= _PERMANENT:
            wrong = about_address and (_ADDRESS_FAULTS.search(said) is not None)
            return Declined(line, "bad address" if wrong else None)
        if code == _SHUTTING_DOWN:
            self._forget()
        return NotSent(line, whole_channel=code == _SHUTTING_DOWN)

    def _forget(self) -> None:
        """Let this thread's connection go; the next message gets another one."""
        server: smtplib.SMTP | None = getattr(self._own, "server", None)
        if server is None:
            return
        self._own.server = None
        with self._opening:
            if server in self._open:
                self._open.remove(server)
        _leave(server)


def _refuses_us(code: int, said: bytes, *, about_sender: bool) -> None:
    """Raise ConfigurationError if a refusal holds for whatever we send, and so may not close a message."""
    if code in _LOGIN_WANTED or (code >= _PERMANENT and re.search(rb"(?i)\brelay", said)):
        raise ConfigurationError("LOYALTY_SMTP_USER", f"is refused, or missing: the mail server says {code}")
    if about_sender and code >= _PERMANENT:
        raise ConfigurationError("LOYALTY_BRAND_SENDER", f"is refused by the mail server: {code}")


def _leave(server: smtplib.SMTP) -> None:
    try:
        if server.sock is not None:
            server.sock.settimeout(1)
            server.docmd("QUIT")
    except (OSError, smtplib.SMTPException):
        pass  # it is gone already
    server.close()


def _secured(server: smtplib.SMTP, tls: ssl.SSLContext | None) -> None:
    try:
        server.starttls(context=tls)
    except smtplib.SMTPNotSupportedError:
        raise ConfigurationError(
            "LOYALTY_SMTP_SECURITY", "is starttls, which the server does not offer: tls or none are the others"
        ) from None


def _logged_in(server: smtplib.SMTP, user: str, password: str) -> None:
    try:
        server.login(user, password)
    except smtplib.SMTPAuthenticationError as error:
        if error.smtp_code >= _PERMANENT:
            raise ConfigurationError("LOYALTY_SMTP_PASSWORD", f"is refused by the server: {error.smtp_code}") from None
        raise
    except smtplib.SMTPNotSupportedError:
        raise ConfigurationError("LOYALTY_SMTP_USER", "is set, but the server takes no login here") from None


def _stuffed(text: bytes) -> bytes:
    """A text as DATA carries it: lines end in CRLF, a leading dot is doubled, a lone dot ends it."""
    lines = _LINE_END.sub(b"\r\n", text)
    body = lines if lines.endswith(b"\r\n") else lines + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", body) + b".\r\n"

"""A mail server on loopback: an SMTP server of aiosmtpd that says and breaks what a test tells it to."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class MailServer:
    """What aiosmtpd asks at each step; a test says otherwise by the step's name. Keeps what it accepted."""

    def __init__(self) -> None:
        self.accepted: list[tuple[str, list[str], bytes]] = []
        self.replies: dict[str, list[str]] = {}
        self.sessions = 0

    def keep(self, sender: str, to: list[str], content: bytes) -> None:
        """Keep a message that was accepted."""
        self.accepted.append((sender, to, content))

    def _reply(self, step: str) -> str | None:
        replies = self.replies.get(step)
        return replies.pop(0) if replies else None

    async def handle_EHLO(  # noqa: D102, N802 - the names are aiosmtpd's, here and below
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: D102, N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if said := await self._cut_or_said(server, "MAIL"):
            return said
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: D102, N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if said := await self._cut_or_said(server, "RCPT"):
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: D102, N802
        said = self._reply("DATA")
        if said is None or said == "cut after":
            self.keep(str(envelope.mail_from), list(envelope.rcpt_tos), envelope.original_content or b"")
        if said in {"cut", "cut after"}:
            _cut(server)
            return "421 gone"
        return said or "250 OK"

    async def _cut_or_said(self, server: SMTP, step: str) -> str | None:
        said = self._reply(step)
        if said == "cut":
            _cut(server)
            await asyncio.sleep(0)
            return "421 gone"
        return said


def _cut(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.WriteTransport)
    server.transport.abort()


class _AnyPort(Controller):
    """A controller that finds its server wherever it listens."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def serving(server: MailServer, **options: Any) -> Iterator[int]:
    """The server on a port of 127.0.0.1, which is given, until the end."""
    controller = _AnyPort(server, hostname="127.0.0.1", port=0, **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()

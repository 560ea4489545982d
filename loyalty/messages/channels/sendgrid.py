"""E-mail by SendGrid's v3 API: one request per message, through the `sendgrid` package.

SendGrid knows no key by which a request could be repeated (its OpenAPI document has none), so a lost reply is unclear.
It can't be asked about one either: its Email Activity API is a paid add-on. But each message carries its number in
custom_args, and every event of it (processed, delivered, …) brings that back: the event settles the doubt.
"""

import json
from typing import Any

import httpx
import python_http_client
import sendgrid

from loyalty.errors import ConfigurationError
from loyalty.messages.channels.channel import Accepted, Declined, Fault, Letter, Sent, told
from loyalty.messages.channels.http import busy_or_broken, client, lost
from loyalty.messages.mail import Email

PROVIDER = "sendgrid"
_VERSION = 3
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_SHOWN = 3  # mistakes of a reply that are kept


class SendGrid:
    """SendGrid, by an API key that may send mail."""

    provider, pace = PROVIDER, None

    def __init__(self, api_key: str, url: str, *, timeout: float, at_once: int) -> None:
        """`url` is https://api.sendgrid.com, or that of the EU; `timeout` in seconds, for `at_once` threads."""
        package = sendgrid.SendGridAPIClient(api_key, host=url.rstrip("/"))
        self._http = client(timeout, at_once)
        self._api = _KeptOpen(self._http, package.host, package.client.request_headers, _VERSION)

    def send(self, letter: Letter) -> Sent:
        """Try once; ConfigurationError if SendGrid refuses the key or the sender."""
        try:
            reply = self._api.mail.send.post(request_body=_body(letter))
        except httpx.HTTPError as error:
            return lost(PROVIDER, error)
        if reply.status_code in {200, 202}:  # 200 in sandbox mode
            return Accepted(reply.headers.get("x-message-id"))  # a guess: not in the OpenAPI document
        return _refused(reply.status_code, reply.headers, _mistakes(reply.body))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _body(letter: Letter) -> dict[str, Any]:
    """The request by the OpenAPI document of POST /v3/mail/send. custom_args are kept for long: numbers only."""
    if not isinstance(letter.content, Email) or letter.sender is None:
        raise TypeError("SendGrid takes e-mails that have a sender")
    number = "staff_message_no" if letter.to_staff else "message_no"
    parts = {"text/plain": letter.content.text, "text/html": letter.content.html}  # plain text must come first
    return {
        "personalizations": [{"to": [{"email": letter.to}], "custom_args": {number: str(letter.message_no)}}],
        "from": {"email": letter.sender, "name": letter.programme},
        "subject": letter.content.subject,
        "content": [{"type": kind, "value": text} for kind, text in parts.items() if text],
        "categories": [letter.kind],
        "headers": {"Content-Language": letter.language, "Auto-Submitted": "auto-generated", **letter.headers},
    }


def _refused(status: int, headers: Any, mistakes: str) -> Sent:
    if status == _UNAUTHORIZED:
        raise ConfigurationError("LOYALTY_SENDGRID_API_KEY", f"is refused by SendGrid: {mistakes or status}")
    if status == _FORBIDDEN:  # the key may not send, or nobody has verified the sender
        raise ConfigurationError("LOYALTY_BRAND_SENDER", f"is refused by SendGrid for this key: {mistakes or status}")
    broken = busy_or_broken(PROVIDER, status, headers, mistakes)
    if broken is not None:
        return broken
    fault: Fault | None = "bad address" if "personalizations" in mistakes and ".email" in mistakes else None
    return Declined(told(PROVIDER, f"HTTP {status}", mistakes), fault)


def _mistakes(body: bytes) -> str:
    """The errors of a reply, as `field message`; nothing if it isn't of that form."""
    try:
        errors = json.loads(body)["errors"][:_SHOWN]
        said = (f"{each.get('field') or ''} {each.get('message') or ''}".strip() for each in errors)
        return told("", "; ".join(said)).removeprefix(": ")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


class _Reply:
    """A reply in the shape that the package reads."""

    def __init__(self, reply: httpx.Response) -> None:
        self._reply = reply

    def getcode(self) -> int:
        return self._reply.status_code

    def read(self) -> bytes:
        return self._reply.content

    def info(self) -> httpx.Headers:
        return self._reply.headers


class _KeptOpen(python_http_client.Client):  # type: ignore[misc]  # it has no types
    """The package's client on connections that stay open.

    Its own opener makes a TLS context and a connection for each message, and can't tell a connection that never stood
    from a reply that was lost.
    """

    def __init__(self, http: httpx.Client, *given: Any) -> None:
        super().__init__(*given)
        self._http = http

    def _build_client(self, name: str | None = None) -> "_KeptOpen":
        path = [*self._url_path, name] if name else self._url_path
        return _KeptOpen(self._http, self.host, self.request_headers, self._version, path)

    def _make_request(self, _opener: Any, request: Any, timeout: float | None = None) -> _Reply:
        del timeout  # the client's own
        headers = dict(request.header_items())
        return _Reply(self._http.request(request.get_method(), request.full_url, headers=headers, content=request.data))

"""Word to staff by an incoming webhook of Slack, whose address is the secret and fixes the channel.

No id comes back, and there is no way to look for a message: a lost reply is unclear, and held for a person.
"""

import httpx

from loyalty.errors import ConfigurationError
from loyalty.messages.channels.channel import Accepted, Declined, Letter, Sent, Unclear, told
from loyalty.messages.channels.http import busy_or_broken, client, lost
from loyalty.messages.mail import Email

PROVIDER = "slack"
_GONE = {403, 404, 410}  # the webhook is removed, or its channel archived
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LONGEST = 35_000  # characters; by Slack's public tables the text is cut at 40,000


class Slack:
    """An incoming webhook."""

    provider, pace = PROVIDER, 1.0  # by Slack's own pages, webhooks included

    def __init__(self, url: str, *, timeout: float) -> None:
        """`url` is the webhook's; `timeout` in seconds."""
        self._url = url
        self._http = client(timeout, 1)

    def send(self, letter: Letter) -> Sent:
        """Try once; ConfigurationError if the webhook is gone."""
        try:
            reply = self._http.post(self._url, json={"text": _text(letter)})
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise ConfigurationError("LOYALTY_SLACK_WEBHOOK_URL", "is no address") from None
        except httpx.HTTPError as error:
            return lost(PROVIDER, error)
        said = reply.text[:100]
        if reply.is_success:
            return Accepted(None) if said == "ok" else Unclear(told(PROVIDER, "HTTP", reply.status_code, said))
        if reply.status_code in _GONE:
            raise ConfigurationError("LOYALTY_SLACK_WEBHOOK_URL", f"is refused by Slack: {reply.status_code} {said}")
        broken = busy_or_broken(PROVIDER, reply.status_code, reply.headers, said)
        return broken or Declined(told(PROVIDER, reply.status_code, said))

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def _text(letter: Letter) -> str:
    if isinstance(letter.content, Email):
        return f"*{letter.content.subject.translate(_ESCAPES)}*\n{letter.content.text.translate(_ESCAPES)}"[:_LONGEST]
    return letter.content.translate(_ESCAPES)[:_LONGEST]

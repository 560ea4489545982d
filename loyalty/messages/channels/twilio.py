"""SMS by Twilio Programmable Messaging, through the `twilio` package.

Twilio knows no key by which a message could be repeated. After a lost reply its list of messages is asked: by the
number that was written to, since a message that still waits there has no date of sending to be found by.
"""

import hashlib
import logging
import re
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import httpx
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from loyalty.errors import ConfigurationError
from loyalty.messages.channels.channel import (
    Accepted,
    Declined,
    Fault,
    Letter,
    NotSent,
    Sent,
    Unclear,
    address_digest,
    told,
)
from loyalty.messages.channels.http import busy_or_broken, client, lost

PROVIDER = "twilio"
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")

# Codes of Twilio's errors; their meaning may shift, says its OpenAPI document. 20429 and 21610 are by Twilio's own
# pages, the others by public tables only.
_BUSY = {20429, 21611}  # too many at once; the sender's queue is full
_NOT_OURS = {21212: "LOYALTY_TWILIO_FROM", 21606: "LOYALTY_TWILIO_FROM", 20003: "LOYALTY_TWILIO_AUTH_TOKEN"}
_FAULTS: Mapping[int, Fault] = {21610: "opted out", 21211: "bad address", 21614: "bad address"}
_UNAUTHORIZED, _MISSING = 401, 404
_BUSY_SECONDS = 10.0

_PAGE, _MOST_LOOKED_AT = 100, 300
_SKEW = timedelta(minutes=5)  # between Twilio's clock and ours
_LONGEST_TRY = timedelta(minutes=15)  # from the claim of a batch to the last message of it


class Twilio:
    """Twilio, by an account's SID and token. `sender` is a number of the account, or a messaging service (MG…)."""

    provider, pace = PROVIDER, None

    def __init__(
        self, account: str, token: str, sender: str, url: str, *, callback: str | None, timeout: float, at_once: int
    ) -> None:
        """`callback` is where Twilio tells what becomes of a message, each with its number as ?message_no=N."""
        self._http = _Http(timeout, at_once)
        self._api = Client(account, token, http_client=self._http).api
        self._api.base_url = url.rstrip("/")
        self._from = {"messaging_service_sid": sender} if _SERVICE.fullmatch(sender) else {"from_": sender}
        self._callback = callback

    def send(self, letter: Letter) -> Sent:
        """Try once; ConfigurationError if Twilio refuses the account or the sender."""
        if not _E164.fullmatch(letter.to):
            return Declined("the number has no country code: Twilio takes +12125550100 only", "bad address")
        callback = f"{self._callback}?message_no={letter.message_no}" if self._callback else None
        given: dict[str, Any] = {"body": str(letter.content), **self._from}
        if callback:
            given["status_callback"] = callback
        try:
            made = self._api.account.messages.create(to=letter.to, **given)
        except httpx.HTTPError as error:
            return lost(PROVIDER, error)
        except TwilioException as error:
            return _refused(error, self._http.last_headers)
        except ValueError:  # what came isn't JSON
            return Unclear(told(PROVIDER, "a reply that makes no sense"))
        if made.status == "failed":
            return Declined(told(PROVIDER, made.error_code or "failed"), _FAULTS.get(made.error_code or 0))
        return Accepted(made.sid)

    def find(self, to: str, digest: bytes, attempted_at: datetime) -> list[str] | None:
        """Look through the messages to a number for those of this text that were made about when ours was tried."""
        if address_digest(to) != digest[:32]:
            return None  # the number is another one now
        try:
            listed = self._api.account.messages.list(to=to, page_size=_PAGE, limit=_MOST_LOOKED_AT)
        except (httpx.HTTPError, TwilioException, ValueError):
            return None
        made = [each for each in listed if _made_about(each.date_created, attempted_at)]
        if len(listed) == _MOST_LOOKED_AT or not all(each.body and each.sid for each in made):
            return None  # more than we look through, or an account that keeps no texts
        return [each.sid for each in made if hashlib.sha256(each.body.encode()).digest() == digest[32:]]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _made_about(created: datetime | None, attempted_at: datetime) -> bool:
    return created is None or attempted_at - _SKEW <= created <= attempted_at + _LONGEST_TRY + _SKEW


def _refused(error: TwilioException, headers: Mapping[str, str]) -> Sent:
    status, code = int(getattr(error, "status", 0) or 0), int(getattr(error, "code", 0) or 0)
    said = error.msg if isinstance(error, TwilioRestException) else getattr(error, "title", "")
    said = said.removeprefix("Unable to create record").removeprefix(": ")
    if code in _NOT_OURS:
        raise ConfigurationError(_NOT_OURS[code], f"is refused by Twilio: {told('', code, said).removeprefix(': ')}")
    if status in {_UNAUTHORIZED, _MISSING}:
        raise ConfigurationError("LOYALTY_TWILIO_ACCOUNT_SID", f"is refused by Twilio: HTTP {status}")
    broken = busy_or_broken(PROVIDER, status, headers, said)
    if code in _BUSY or isinstance(broken, NotSent):
        wait = broken.wait if isinstance(broken, NotSent) else None
        return NotSent(told(PROVIDER, code or status, said), wait=wait or _BUSY_SECONDS, whole_channel=True)
    return broken or Declined(told(PROVIDER, code or f"HTTP {status}", said), _FAULTS.get(code))


class _Http(HttpClient):  # type: ignore[misc]  # it has no types
    """The package's requests on a client of ours: its own writes the numbers that it asks for into the log."""

    def __init__(self, timeout: float, at_once: int) -> None:
        super().__init__(logging.getLogger(__name__), is_async=False, timeout=timeout)
        self._client = client(timeout, at_once)
        self._last = threading.local()

    def request(  # noqa: PLR0917 - the package's signature
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """One request, once. Raises httpx.HTTPError if no reply came."""
        del timeout, allow_redirects  # the client's own
        reply = self._client.request(
            method, uri, params=cast("Any", params), data=cast("Any", data), headers=headers, auth=auth
        )
        self._last.headers = reply.headers
        return Response(reply.status_code, reply.text, reply.headers)

    @property
    def last_headers(self) -> Mapping[str, str]:
        """Those of this thread's last reply, which the package's exceptions leave out."""
        return cast("Mapping[str, str]", self._last.headers)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

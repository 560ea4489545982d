"""Links by which a member ends messages: signed, so that nobody else can make one, and good for as long as the secret.

A link names member, message and purpose: `marketing` ends offers, `service` ends e-mails altogether. It goes into the
message, and into the headers by which mail programs end them in one click (RFC 8058).
"""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal, cast

from sqlalchemy import Connection

from loyalty.db import programme_secrets
from loyalty.settings import settings

PATH = "/unsubscribe/"
_SIGNATURE_BYTES = 16  # 128 bits: nobody guesses them one request at a time
_TOKEN = re.compile(
    r"(?P<member>[0-9]{1,18})-(?P<message>[0-9]{1,18})-(?P<purpose>[ms])-(?P<signature>[\w-]{22})", re.ASCII
)
_LETTERS: Mapping[str, str] = {"marketing": "m", "service": "s"}
_PURPOSES = {letter: purpose for purpose, letter in _LETTERS.items()}

Purpose = Literal["service", "marketing"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, by which message, to get no more of what."""

    member_no: int
    message_no: int
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Unsubscribing:
    """Makes links below the address at which the HTTP API is reached."""

    address: str
    secret: bytes

    def link(self, asked: Asked) -> str:
        """The address that ends messages once it is posted to."""
        return f"{self.address.rstrip('/')}{PATH}{token(self.secret, asked)}"


def unsubscribing(connection: Connection, now: datetime) -> Unsubscribing | None:
    """The maker of links; None without LOYALTY_PUBLIC_URL, since nobody could follow one."""
    address = settings().public_url
    return Unsubscribing(address, secret(connection, now)) if address else None


def secret(connection: Connection, now: datetime) -> bytes:
    """What signs the links of this programme, for good."""
    return programme_secrets.made(connection, "unsubscribe", now)


def headers(link: str | None) -> dict[str, str]:
    """The headers of an e-mail that can be ended in one click."""
    if link is None:
        return {}
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def token(secret: bytes, asked: Asked) -> str:
    """What stands in a link, signed."""
    said = f"{asked.member_no}-{asked.message_no}-{_LETTERS[asked.purpose]}"
    return f"{said}-{_signature(secret, said)}"


def read_token(secret: bytes, given: str) -> Asked | None:
    """What a link says; None if it is none of ours."""
    found = _TOKEN.fullmatch(given)
    if found is None or not hmac.compare_digest(
        _signature(secret, given[: -len(found["signature"]) - 1]), found["signature"]
    ):
        return None
    return Asked(int(found["member"]), int(found["message"]), cast("Purpose", _PURPOSES[found["purpose"]]))


def _signature(secret: bytes, said: str) -> str:
    digest = hmac.new(secret, f"unsubscribe {said}".encode(), sha256).digest()
    return base64.urlsafe_b64encode(digest[:_SIGNATURE_BYTES]).decode().rstrip("=")

"""E-mails as RFC 5322 texts: headers, a plain text and an HTML part, in UTF-8.

Written by hand, since the standard library takes longer to put one together than all the rest of a delivery.
"""

import re
from binascii import b2a_qp
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import lru_cache
from types import MappingProxyType

from loyalty.messages.brand import brand

_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,64}@(?P<domain>[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,253})")
_HEADER = re.compile(r"[!-9;-~]+: [ -~]*")
_CACHED = 1024
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Email:
    """What an e-mail says; `language` is that of its words, where it is known."""

    subject: str
    html: str
    text: str
    language: str | None = None


def mailbox(address: str) -> str | None:
    """An address fit for a header, its domain in ASCII; None if it can't be one (it might break out of the header)."""
    found = _ADDRESS.fullmatch(address.strip())
    if found is None:
        return None
    try:
        domain = found["domain"].encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return f"{address.strip()[: -len(found['domain'])]}{domain}"


def message(
    email: Email,
    *,
    to: str,
    programme: str,
    language: str,
    message_no: int,
    sent_at: datetime,
    sender: str | None = None,
    headers: Mapping[str, str] = _NONE,
) -> bytes:
    """The whole message, from `sender` or the brand's. `to` is what `mailbox` gave.

    `message_no` makes the Message-ID, the same at every try. `language` is the member's; words that had to be in
    another one say so. `headers` are further ones, such as List-Unsubscribe: of ASCII, one line each, or ValueError.
    """
    sender = sender or brand().sender
    # "=_" never occurs in quoted-printable, so no line of a part can be taken for a boundary
    boundary = f"=_loyalty_{message_no}"
    head = (
        f"From: {_sender(programme, sender)}\n"
        f"To: {to}\n"
        f"Subject: {_encoded(email.subject)}\n"
        f"Date: {format_datetime(sent_at)}\n"
        f"Message-ID: <{message_no}@{sender.rpartition('@')[2]}>\n"
        f"Content-Language: {email.language or language}\n"
        "Auto-Submitted: auto-generated\n"
        "MIME-Version: 1.0\n"
        f'Content-Type: multipart/alternative; boundary="{boundary}"\n'
        f"{_further(headers)}"
    )
    parts = "".join(
        f"\n--{boundary}\nContent-Type: text/{subtype}; charset=utf-8\n"
        f"Content-Transfer-Encoding: quoted-printable\n\n{_quoted(content)}"
        for subtype, content in (("plain", email.text), ("html", email.html))
    )
    return f"{head}{parts}\n--{boundary}--\n".replace("\n", "\r\n").encode()


def _quoted(content: str) -> str:
    return b2a_qp(content.encode(), istext=True).decode("ascii")


def _further(headers: Mapping[str, str]) -> str:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if not all(map(_HEADER.fullmatch, lines)):
        raise ValueError("a header is a line of ASCII")
    return "".join(f"{line}\n" for line in lines)


@lru_cache(_CACHED)
def _sender(programme: str, sender: str) -> str:
    return formataddr((programme, sender))


@lru_cache(_CACHED)
def _encoded(subject: str) -> str:
    """A subject as a header's value, folded, encoded where it is not ASCII."""
    line = " ".join(subject.split())
    return Header(line, "us-ascii" if line.isascii() else "utf-8", header_name="Subject").encode()

"""What messages to staff say, and how they look: a plain text, and the same laid out as HTML. In English."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.db.approvals import Approval
from loyalty.errors import BadInput
from loyalty.messages.brand import brand
from loyalty.messages.facts import Facts
from loyalty.messages.rendering import render
from loyalty.messages.voice import Voice
from loyalty.rules.programme import Programme

_TYPED = "    "  # lines so far to the right are commands and tables, and keep their lines
_ADDRESS = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True)
class StaffNews:
    """What a message to staff tells of: an approval, or facts. `code` and `url` are for those who decide."""

    approval: Approval | None = None
    facts: Facts | None = None
    code: str | None = None
    url: str | None = None


def staff_words(kind: str, rules: Programme, zone: ZoneInfo, news: StaffNews) -> tuple[str, str]:
    """Subject and text of a message to staff. Raises BadInput that names file, line and variable."""
    told: dict[str, Any] = {"approval": None, "facts": news.facts, "codes": rules.review_code}
    if (approval := news.approval) is not None:
        told |= {
            "what": f"{approval.name[0].upper()}{approval.name[1:]}",
            "approval": approval,
            "due": f"{approval.due_at.astimezone(zone):%Y-%m-%d %H:%M}",
            "lapses": rules.review_overdue == "lapse",
        }
    subject, _, text = render("text", f"staff/{kind}.j2", told | {"code": news.code, "url": news.url}).partition("\n")
    return " ".join(subject.split()), f"{text.strip()}\n"


def fill(email: EmailMessage, subject: str, text: str, programme: str) -> None:
    """Give an e-mail to staff its text and, where the templates allow it, the same as HTML."""
    words = f"{text.strip()}\n"
    try:
        html = staff_html(subject, words, programme)
    except BadInput as error:  # a layout of the user's own is broken: word of a failed run must go out all the same
        email.set_content(f"{words}\n(Without its HTML part: {error})\n")
        return
    email.set_content(words)
    email.add_alternative(html, subtype="html")


def staff_html(subject: str, text: str, programme: str) -> str:
    """The HTML part of a message to staff, made of its text."""
    blocks = list(_blocks(text))
    return render(
        "html",
        "staff.j2",
        {
            "say": Voice(programme, "en", "en", ZoneInfo("UTC")),
            "brand": brand(),
            "programme": programme,
            "unsubscribe_url": None,
            "tone": "calm",
            "subject": subject,
            "preheader": " ".join(blocks[0][1]) if blocks else "",
            "blocks": blocks,
        },
    )


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """The parts of a text: paragraphs, what is typed or aligned, and addresses, each with its lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        kind = ""
        lines: list[str] = []
        for line in paragraph.splitlines():
            this = "typed" if line.startswith(_TYPED) else "address" if _ADDRESS.fullmatch(line) else "paragraph"
            if lines and this != kind:
                yield kind, lines
                lines = []
            kind, lines = this, [*lines, line.removeprefix(_TYPED)]
        if lines:
            yield kind, lines

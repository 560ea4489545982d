"""What messages to staff say, and how they look: a plain text, and the same laid out as HTML.

They are in the first of the programme's languages that has them. KIND.LANGUAGE.staff.j2 says the text.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Literal
from zoneinfo import ZoneInfo

from loyalty.db.approvals import Approval
from loyalty.errors import BadInput
from loyalty.messages import wording
from loyalty.messages.brand import brand
from loyalty.messages.facts import Facts
from loyalty.messages.rendering import render, render_plain
from loyalty.messages.voice import Voice, voice
from loyalty.rules.programme import Programme

RUN_FAILED = "run_failed"
_TYPED = "    "  # lines so far to the right are commands and tables, and keep their lines
_ADDRESS = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True)
class StaffNews:
    """What a message to staff tells of: an approval, or facts. `code` and `url` are for those who decide."""

    approval: Approval | None = None
    facts: Facts | None = None
    code: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class RunNews:
    """A run that went wrong, and its page. `said` gives what its state says, or the words that it is given.

    `again`: it begins again by itself, at most `restarts` times.
    """

    deployment: str
    run: str
    url: str
    what: Literal["failed", "crashed", "late"]
    said: Callable[[str], str]
    again: bool = False
    restarts: int = 0


def staff_voice(kind: str, languages: tuple[str, ...], programme: str, zone: ZoneInfo) -> Voice:
    """How staff are told of a kind: in the first of the programme's languages that has it, English at last."""
    speaker = voice(None, languages, programme, zone)
    return speaker.turned(wording.language_of(kind, "staff", (speaker.language, *speaker.others)))


def staff_words(kind: str, rules: Programme, speaker: Voice, news: StaffNews) -> tuple[str, str]:
    """Subject and text of a message to staff. Raises BadInput that names file, line and variable."""
    approval = news.approval
    told: dict[str, Any] = {"approval": approval, "facts": news.facts, "codes": rules.review_code}
    if approval is not None:
        told |= {"due": speaker.moment(approval.due_at), "lapses": rules.review_overdue == "lapse"}
    told |= {"code": news.code, "url": news.url, "programme": speaker.programme}
    return render_plain(f"{kind}.{speaker.language}.staff.j2", told, speaker)


def run_words(news: RunNews, speaker: Voice) -> tuple[str, str]:
    """Subject and text of word about a run that went wrong. Raises BadInput that names file, line and variable."""
    told = {name: getattr(news, name) for name in RunNews.__slots__}
    return render_plain(f"{RUN_FAILED}.{speaker.language}.staff.j2", told, speaker)


def fill(email: EmailMessage, subject: str, text: str, speaker: Voice) -> None:
    """Give an e-mail to staff its text and, where the templates allow it, the same as HTML."""
    words = f"{text.strip()}\n"
    try:
        html = staff_html(subject, words, speaker)
    except BadInput as error:  # a layout of the user's own is broken: word of a failed run must go out all the same
        email.set_content(f"{words}\n(Without its HTML part: {error})\n")
    else:
        email.set_content(words)
        email.add_alternative(html, subtype="html")
    email["Content-Language"] = speaker.language  # at last: parts take such headers with them


def staff_html(subject: str, text: str, speaker: Voice) -> str:
    """The HTML part of a message to staff, made of its text."""
    blocks = list(_blocks(text))
    return render(
        "html",
        f"staff.{speaker.language}.j2",
        {
            "say": speaker,
            "brand": brand(),
            "programme": speaker.programme,
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

"""Messages from templates: one file holds a kind's words in a language; two looks, HTML and plain text, lay them out.

KIND.LANGUAGE.email.j2 fills the blocks of `layout.j2` with the pieces of `parts.j2`. Both exist twice, in the folders
html and text, and so the text part of an e-mail never says anything else than the HTML part.

KIND.LANGUAGE.sms.j2 says what must be said in its first line; each further line is a sentence that a text message
which would take too many segments goes without, the last one first.
"""

import re
import textwrap
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Template, TemplateNotFound, TemplateSyntaxError

from loyalty.errors import BadInput
from loyalty.messages import wording
from loyalty.messages.brand import brand
from loyalty.messages.facts import Notice
from loyalty.messages.gsm7 import fold, segments
from loyalty.messages.mail import Email
from loyalty.messages.voice import Voice
from loyalty.settings import settings

_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_RIGHT_TO_LEFT = "\u200f"
_WIDTHS = (200, 150, 120, 90, 60, 40, 24, 12)  # to which words of others are shortened in an SMS, one after the other
_CUT = "..."  # marks what was shortened; the ellipsis is no letter of SMS


def render_email(notice: Notice, voice: Voice) -> Email:
    """The e-mail of a notice, in the first of the voice's languages that has it.

    Raises BadInput when its kind has no e-mail, or when a template is wrong or lacks what it tells: in one line that
    names file, line and variable.
    """
    speaker = _speaker(notice, voice, "email")
    return lay_out(f"{notice.kind}.{speaker.language}.email.j2", _told(notice, speaker), speaker)


def render_sms(notice: Notice, voice: Voice) -> str:
    """The text of an SMS, in the alphabet of SMS as far as it can be, in no more segments than LOYALTY_SMS_SEGMENTS.

    What is too long loses its further sentences, then names and free words end in dots; figures, codes and dates stay
    whole. Raises BadInput as `render_email` does, and where even that is too long.
    """
    speaker = _speaker(notice, voice, "sms")
    template = _template("text", f"{notice.kind}.{speaker.language}.sms.j2")
    most, shortest = settings().sms_segments, ""
    for lines in _ever_shorter(template, notice, speaker):
        for kept in range(len(lines), 0, -1):
            shortest = _steered(fold(" ".join(lines[:kept])), speaker)
            if segments(shortest) <= most:
                return shortest
    raise BadInput(
        f"{template.name}: takes {segments(shortest)} segments even when shortened, "
        f"more than LOYALTY_SMS_SEGMENTS, which is {most}"
    )


def lay_out(name: str, told: dict[str, Any], speaker: Voice) -> Email:
    """A template in both looks. Raises BadInput as `render_email` does."""
    subject, _, text = _rendered(_template("text", name), told).lstrip().partition("\n")
    html = _rendered(_template("html", name), told)
    return Email(_steered(subject, speaker), html, _steered(_tidy(text), speaker), speaker.language)


def render(look: str, name: str, told: dict[str, Any]) -> str:
    """A template that is no kind's, such as a message to staff. Raises BadInput as `render_email` does."""
    return _rendered(_template(look, name), told).lstrip()


def render_plain(name: str, told: dict[str, Any], speaker: Voice) -> tuple[str, str]:
    """Subject and text of a template in plain text alone, such as a message to staff. Raises BadInput as above.

    Lines that are indented are typed as they are, and `url` is followed: both keep their direction.
    """
    subject, _, text = render("text", name, told | {"say": speaker}).partition("\n")
    lines = _tidy(text.strip("\n")).split("\n")
    steered = (each if each.startswith(" ") or each == told.get("url") else _steered(each, speaker) for each in lines)
    return _steered(" ".join(subject.split()), speaker), "\n".join(steered)


def has_template(kind: str, language: str, channel: str) -> bool:
    """Whether a kind has words in that language for a channel: "email", "sms" or "staff"."""
    return (kind, language, channel) in wording.written(wording.folders())


def _speaker(notice: Notice, voice: Voice, channel: str) -> Voice:
    return voice.turned(wording.language_of(notice.kind, channel, (voice.language, *voice.others)))


def _ever_shorter(template: Template, notice: Notice, speaker: Voice) -> Iterator[list[str]]:
    """The sentences of an SMS with everything in them, then with shorter and shorter words of others."""
    told = _told(notice, speaker)
    for width in (None, *_WIDTHS):
        if width is not None:
            short = {name: _shortened(told[name], width) for name in (*notice.facts.wordy, "first_name", "programme")}
            told = {**told, **short}
        yield [" ".join(line.split()) for line in _rendered(template, told).splitlines() if line.strip()]


def _shortened(words: str | None, width: int) -> str | None:
    if words is None or len(words) <= width:
        return words
    cut = textwrap.shorten(words, width, placeholder=_CUT)
    return words[: width - len(_CUT)] + _CUT if cut == _CUT else cut


def _template(look: str, name: str) -> Template:
    return _found(look, name, wording.folders())


@lru_cache(4096)
def _found(look: str, name: str, places: tuple[Path, ...]) -> Template:
    try:
        return wording.environment(look, places).get_template(name)
    except TemplateNotFound as error:
        raise BadInput(f"there is no template {error.name}") from None
    except TemplateSyntaxError as error:
        raise BadInput(f"{error.name}, line {error.lineno}: {error.message}") from None


def _told(notice: Notice, speaker: Voice) -> dict[str, Any]:
    """The variables that a template sees."""
    return {
        **dict(notice.facts),
        "say": speaker,
        "brand": brand(),
        "programme": speaker.programme,
        "first_name": " ".join(notice.first_name.split()),
        "voucher": notice.voucher,
        "multiplier": notice.multiplier,
        "marketing": notice.facts.marketing,
        "unsubscribe_url": notice.unsubscribe_url,
    }


def _rendered(template: Template, told: dict[str, Any]) -> str:
    try:
        return template.render(told)
    except TemplateNotFound as error:
        raise BadInput(f"{_place(error, template)}: there is no template {error.name}") from None
    except Exception as error:  # noqa: BLE001 - a template of the user's may fail in any way; the line says which
        raise BadInput(f"{_place(error, template)}: {' '.join(str(error).split())}") from None


def _place(error: Exception, template: Template) -> str:
    """The file, below its folder, and the line of a template that an error comes from."""
    found, trace = f"{template.name}", error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.suffix == ".j2":
            found = f"{_name(file)}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _name(file: Path) -> str:
    return next((str(file.relative_to(each)) for each in wording.folders() if file.is_relative_to(each)), file.name)


def _steered(text: str, speaker: Voice) -> str:
    """Lines of a language written from the right begin at the right, also those whose first word is a Latin name."""
    if speaker.direction == "ltr":
        return text
    return "\n".join(_RIGHT_TO_LEFT + line if _begins_left(line) else line for line in text.split("\n"))


def _begins_left(line: str) -> bool:
    strong = (unicodedata.bidirectional(symbol) for symbol in line)
    return next((each for each in strong if each in {"L", "R", "AL"}), "R") == "L"


def _tidy(text: str) -> str:
    """The text with at most one blank line anywhere."""
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"

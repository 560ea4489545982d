"""Messages from templates: one file holds a kind's words in a language; two looks, HTML and plain text, lay them out.

templates/KIND.LANGUAGE.email.j2 fills the blocks of `layout.j2` with the pieces of `parts.j2`. Both exist twice, in
templates/html and templates/text, and so the text part of an e-mail never says anything else than the HTML part.
"""

import re
import textwrap
from functools import cache, lru_cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateNotFound, UndefinedError

from loyalty.errors import BadInput
from loyalty.messages.facts import Notice
from loyalty.messages.gsm7 import fold
from loyalty.messages.mail import Email
from loyalty.messages.voice import TEMPLATES, Voice
from loyalty.rules.voucher_codes import display

LINE_LENGTH = 72  # of the plain text part
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")


def render_email(notice: Notice, voice: Voice) -> Email:
    """The e-mail of a notice. Raises BadInput when its kind has no e-mail, or lacks what the template tells."""
    name = f"{notice.kind}.{voice.language}.email.j2"
    told = _told(notice, voice)
    plain = _template("text", name)
    return Email(
        subject=" ".join(_block(plain, "subject", told).split()),
        html=_rendered(_template("html", name), told),
        text=_tidy(_rendered(plain, told)),
    )


def render_sms(notice: Notice, voice: Voice) -> str:
    """The text of an SMS, in the alphabet of SMS as far as it can be. Raises BadInput as `render_email` does."""
    template = _template("text", f"{notice.kind}.{voice.language}.sms.j2")
    return fold(" ".join(_rendered(template, _told(notice, voice)).split()))


def has_template(kind: str, language: str, channel: str) -> bool:
    """Whether a kind has words in that language for "email" or "sms"."""
    return (TEMPLATES / f"{kind}.{language}.{channel}.j2").is_file()


@cache
def environment(look: str) -> Environment:
    """The templates in one look: "html", where everything told is escaped, or "text"."""
    made = Environment(
        loader=FileSystemLoader([TEMPLATES, TEMPLATES / look]),
        autoescape=look == "html",  # noqa: S701  (in plain text, escapes would be shown)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["voucher_code"] = display
    made.filters["wrapped"] = _wrapped
    return made


@cache
def _template(look: str, name: str) -> Template:
    try:
        return environment(look).get_template(name)
    except TemplateNotFound:
        raise BadInput(f"there is no template {name}") from None


@lru_cache(4096)  # the paragraphs of a batch are few
def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, LINE_LENGTH)


def _told(notice: Notice, voice: Voice) -> dict[str, Any]:
    """The variables that a template sees."""
    return {
        **dict(notice.facts),
        "say": voice,
        "first_name": " ".join(notice.first_name.split()),
        "voucher": notice.voucher,
        "multiplier": notice.multiplier,
        "unsubscribe_url": notice.unsubscribe_url,
    }


def _rendered(template: Template, told: dict[str, Any]) -> str:
    try:
        return template.render(told)
    except UndefinedError as error:
        raise BadInput(f"{template.name}: {error.message}") from None


def _block(template: Template, block: str, told: dict[str, Any]) -> str:
    try:
        return "".join(template.blocks[block](template.new_context(told)))
    except UndefinedError as error:
        raise BadInput(f"{template.name}: {error.message}") from None


def _tidy(text: str) -> str:
    """The text with at most one blank line anywhere."""
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"

"""Which templates there are: ours, and those of a folder of the user's own (LOYALTY_TEMPLATES), which come first.

A file is named KIND.LANGUAGE.CHANNEL.j2; the channel of what goes to staff is "staff". What a message can be said in is
told by the files alone.
"""

import textwrap
from functools import cache, lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from loyalty.errors import BadInput, ConfigurationError
from loyalty.rules.voucher_codes import display
from loyalty.settings import settings

TEMPLATES = Path(__file__).parent / "templates"
LAST_RESORT = "en"  # the language of a message that has no template in any other that would do
CHANNELS = frozenset({"email", "sms", "staff"})
LINE_LENGTH = 72  # of the plain text part
_SETTING = "LOYALTY_TEMPLATES"


def folders() -> tuple[Path, ...]:
    """Where templates are looked for, the user's own first. Raises ConfigurationError where that is no folder."""
    own = settings().templates
    if own is None:
        return (TEMPLATES,)
    folder = own.expanduser().absolute()
    if not folder.is_dir():
        raise ConfigurationError(_SETTING, f"must be a folder that is there, not {own}")
    return folder, TEMPLATES


@cache
def written(places: tuple[Path, ...]) -> frozenset[tuple[str, str, str]]:
    """What is written in these folders: (kind, language, channel) of each template, one of CHANNELS."""
    names = (path.name.split(".") for place in places for path in place.glob("*.*.*.j2"))
    return frozenset((kind, language, channel) for kind, language, channel, _ in names if channel in CHANNELS)


def languages() -> frozenset[str]:
    """The languages in which anything is written."""
    return frozenset(language for _, language, _ in written(folders()))


def language_of(kind: str, channel: str, wanted: tuple[str, ...]) -> str:
    """The first of these languages in which a kind is written for a channel, English at last.

    Raises BadInput where there is none.
    """
    there = written(folders())
    for language in (*wanted, LAST_RESORT):
        if (kind, language, channel) in there:
            return language
    raise BadInput(f"there is no template {kind}.{(*wanted, LAST_RESORT)[0]}.{channel}.j2")


@lru_cache(16)
def environment(look: str, places: tuple[Path, ...]) -> Environment:
    """The templates of these folders in one look: "html", where everything told is escaped, or "text"."""
    made = Environment(
        loader=FileSystemLoader([each for place in places for each in (place, place / look)]),
        autoescape=look == "html",  # noqa: S701  (in plain text, escapes would be shown)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(wrapped=_wrapped, one_line=_one_line, voucher_code=display)
    return made


@lru_cache(4096)  # the paragraphs of a batch are few
def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, LINE_LENGTH)


def _one_line(words: str) -> str:
    return " ".join(words.split())

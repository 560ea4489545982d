"""How the programme speaks to a member: the language of its templates, and numbers, dates and money in its ways."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, format_decimal

from loyalty.rules.money import to_major

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGES = frozenset(path.name.split(".")[1] for path in TEMPLATES.glob("*.*.*.j2"))
"""Languages of the templates KIND.LANGUAGE.CHANNEL.j2. A new one is a set of files, and nothing else."""

LAST_RESORT = "en"  # the language for a programme none of whose own has templates
_CACHED = 4096  # a batch repeats its amounts, dates and counts; formatting one costs as much as a template
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Voice:
    """A programme's way of speaking to members of one language.

    `language` chooses the template, `locale` (a tag such as en or es_MX) the numbers, `zone` is the programme's.
    """

    programme: str
    language: str
    locale: str
    zone: ZoneInfo

    def number(self, count: int | Decimal) -> str:
        """A count of points, or a factor: 1,234 or 1.25."""
        return _number(count, self.locale)

    def counted(self, count: int, one: str, other: str) -> str:
        """A count with its noun: "1 point", "12 points"."""
        return f"{_number(count, self.locale)} {one if _is_one(count, self.locale) else other}"

    def money(self, minor: int, currency: str) -> str:
        """An amount in minor units as money: $10.00. Whole amounts keep their decimals."""
        return _money(minor, currency, self.locale)

    def month(self, period: date) -> str:
        """A period: December 2017."""
        return _month(period, self.locale)

    def last_day(self, end: date | datetime) -> str:
        """The last day of what ends as a day begins, or at an instant: 31 March for what ends as 1 April begins."""
        if isinstance(end, datetime):
            return _day((end - _INSTANT).astimezone(self.zone).date(), self.locale)
        return _day(end - timedelta(days=1), self.locale)


@lru_cache(_CACHED)
def voice(language: str | None, languages: tuple[str, ...], programme: str, zone: ZoneInfo) -> Voice:
    """The voice for a member's `language` tag, in one of the programme's `languages` (the first is the default).

    The tag itself, else its primary subtag, else the first of the programme's languages that has templates.
    """
    spoken = [each.lower() for each in languages]
    tag = (language or "").replace("_", "-").lower()
    own = [wanted for wanted in (tag, _primary(tag)) if wanted in spoken]
    chosen = next((written for wanted in (*own, *spoken) if (written := _written(wanted))), LAST_RESORT)
    return Voice(" ".join(programme.split()), chosen, _locale(tag, chosen), zone)


def _primary(tag: str) -> str:
    return tag.partition("-")[0]


def _written(tag: str) -> str | None:
    """The language of our templates that serves a tag."""
    return next((each for each in (tag, _primary(tag)) if each in LANGUAGES), None)


def _locale(tag: str, language: str) -> str:
    """A member's own locale where it is of the language that we write, else that language's."""
    try:
        found = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return language
    return str(found) if found.language == language else language


@cache
def _parsed(locale: str) -> Locale:
    return Locale.parse(locale)


@lru_cache(_CACHED)
def _number(count: int | Decimal, locale: str) -> str:
    return format_decimal(count, locale=_parsed(locale))


def _is_one(count: int, locale: str) -> bool:
    return _parsed(locale).plural_form(abs(count)) == "one"


@lru_cache(_CACHED)
def _money(minor: int, currency: str, locale: str) -> str:
    return format_currency(to_major(minor, currency), currency, locale=_parsed(locale))


@lru_cache(_CACHED)
def _month(period: date, locale: str) -> str:
    return format_skeleton("yMMMM", period, locale=_parsed(locale))


@lru_cache(_CACHED)
def _day(day: date, locale: str) -> str:
    return format_date(day, "long", locale=_parsed(locale))

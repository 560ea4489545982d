"""How the programme speaks to a member: the language of its templates, and numbers, dates and money in its ways.

All of them come from the CLDR by `babel`. Digits are 0 to 9 in every language, as codes and prices at the till are.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import format_currency, format_decimal

from loyalty.messages import wording
from loyalty.rules.money import to_major
from loyalty.rules.voucher_codes import display

_CACHED = 4096  # a batch repeats its amounts, dates and counts; formatting one costs as much as a template
_INSTANT = timedelta(microseconds=1)
_LEFT_TO_RIGHT = "\u200e"


@dataclass(frozen=True, slots=True)
class Voice:
    """A programme's way of speaking to members of one language.

    `language` chooses the template, `locale` (a tag such as en or es_MX) the numbers, `zone` is the programme's;
    `others` are the languages for what is not written in this one.
    """

    programme: str
    language: str
    locale: str
    zone: ZoneInfo
    others: tuple[str, ...] = ()

    @property
    def direction(self) -> str:
        """The way the language is written: "ltr" or "rtl"."""
        return _direction(self.locale)

    def turned(self, language: str) -> "Voice":
        """The same voice in a language of `others`."""
        return self if language == self.language else replace(self, language=language, locale=_tag(language))

    def number(self, count: int | Decimal) -> str:
        """A count of points, or a factor: 1,234 or 1.25."""
        return _number(count, self.locale)

    def counted(self, count: int, one: str, other: str, **forms: str) -> str:
        """A count with its noun: "1 point", "12 points".

        Languages with more forms give them as zero, two, few and many; a form with {} puts the number there.
        """
        form = {"one": one, "other": other, **forms}.get(_plural(count, self.locale), other)
        number = _number(count, self.locale)
        if not forms:
            return f"{number} {form}"
        if count < 0 and "{}" not in form:
            form = other  # a dual says two without the number, and so can't say minus two
        return form.replace("{}", number)

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

    def moment(self, at: datetime) -> str:
        """A day and time of day in the programme's zone: March 31, 2018, 2:05 PM."""
        return _moment(at.astimezone(self.zone).replace(second=0, microsecond=0), self.locale)

    def as_is(self, name: str) -> str:
        """A name that machines know something by, whose parts stay in their order as a code's do."""
        return name if self.direction == "ltr" else f"{_LEFT_TO_RIGHT}{name}{_LEFT_TO_RIGHT}"

    def code(self, stored: str) -> str:
        """A voucher's code in its groups, which stay in their order amid a language written from the right."""
        return display(stored) if self.direction == "ltr" else _LEFT_TO_RIGHT + display(stored)


def voice(language: str | None, languages: tuple[str, ...], programme: str, zone: ZoneInfo) -> Voice:
    """The voice for a member's `language` tag, in one of the programme's `languages` (the first is the default).

    The tag itself, else its primary subtag, else the first of the programme's languages that has templates; English
    at last. A kind that is not written in it is told in the next of these.
    """
    return _voice(language, languages, programme, zone, wording.languages())


@lru_cache(_CACHED)
def _voice(
    language: str | None, languages: tuple[str, ...], programme: str, zone: ZoneInfo, there: frozenset[str]
) -> Voice:
    spoken = [each.lower() for each in languages]
    tag = (language or "").replace("_", "-").lower()
    wanted = [own for own in (tag, _primary(tag)) if own in spoken] + spoken
    written = (_written(each, there) for each in wanted)
    chosen, *others = dict.fromkeys([each for each in written if each] + [wording.LAST_RESORT])
    return Voice(" ".join(programme.split()), chosen, _locale(tag, chosen), zone, tuple(others))


def _primary(tag: str) -> str:
    return tag.partition("-")[0]


def _written(tag: str, there: frozenset[str]) -> str | None:
    """The language of the templates that serves a tag."""
    known = {each.lower(): each for each in there}
    return known.get(tag) or known.get(_primary(tag))


def _locale(tag: str, language: str) -> str:
    """A member's own locale where it is of the language that we write, else that language's."""
    try:
        found = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return _tag(language)
    return str(found) if found.language == language else _tag(language)


@cache
def _tag(language: str) -> str:
    """The locale of a language that has templates; English numbers for one that nobody knows."""
    try:
        return str(Locale.parse(language, sep="-"))
    except (ValueError, UnknownLocaleError):
        return wording.LAST_RESORT


@cache
def _parsed(locale: str) -> Locale:
    return Locale.parse(locale)


@cache
def _direction(locale: str) -> str:
    return str(_parsed(locale).text_direction)


def _plural(count: int, locale: str) -> str:
    return str(_parsed(locale).plural_form(abs(count)))


@lru_cache(_CACHED)
def _number(count: int | Decimal, locale: str) -> str:
    written = format_decimal(count, locale=_parsed(locale))
    # a minus sign has no direction of its own, and would end up behind its number
    return _LEFT_TO_RIGHT + written if count < 0 and _direction(locale) == "rtl" else written


@lru_cache(_CACHED)
def _money(minor: int, currency: str, locale: str) -> str:
    written = format_currency(to_major(minor, currency), currency, locale=_parsed(locale))
    # the $ of US$ has no direction of its own, and would end up before its letters
    return written + _LEFT_TO_RIGHT if written.endswith("$") and _direction(locale) == "rtl" else written


@lru_cache(_CACHED)
def _month(period: date, locale: str) -> str:
    return format_skeleton("yMMMM", period, locale=_parsed(locale))


@lru_cache(_CACHED)
def _day(day: date, locale: str) -> str:
    return format_date(day, "long", locale=_parsed(locale))


@lru_cache(_CACHED)
def _moment(local: datetime, locale: str) -> str:
    joined = str(_parsed(locale).datetime_formats["medium"]).replace("'", "")
    time = format_time(local, "short", locale=_parsed(locale))
    return joined.format("\u00a0".join(time.split()), _day(local.date(), locale))

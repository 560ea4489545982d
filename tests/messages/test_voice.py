"""The language of a member, and numbers in it."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from loyalty.messages.voice import voice

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("tag", "languages", "language", "locale"),
    [
        ("es", ("en", "es"), "es", "es"),
        ("es-MX", ("en", "es"), "es", "es_MX"),
        ("ES_mx", ("en", "es"), "es", "es_MX"),
        ("en-GB", ("en", "es"), "en", "en_GB"),
        ("es-MX", ("en", "es-MX"), "es", "es_MX"),
        ("es-AR", ("en", "es-MX"), "en", "en"),
        ("fr", ("en", "es"), "en", "en"),
        ("fr", ("es", "en"), "es", "es"),
        ("es", ("en",), "en", "en"),
        (None, ("es", "en"), "es", "es"),
        ("", ("en", "es"), "en", "en"),
        ("not a tag", ("es",), "es", "es"),
        ("es-XX-???", ("en", "es"), "es", "es"),
        ("de", ("de", "es"), "es", "es"),
        ("de", ("de",), "en", "en"),
    ],
)
def test_language_falls_back(tag: str | None, languages: tuple[str, ...], language: str, locale: str) -> None:
    """A member's tag, else its primary subtag, else the first of the programme's languages with words of ours."""
    chosen = voice(tag, languages, "Loyalty", NEW_YORK)

    assert (chosen.language, chosen.locale) == (language, locale)


def test_locale_writes_numbers() -> None:
    """Regions of one language read the same words with numbers of their own."""
    spain, mexico = (voice(tag, ("es",), "Loyalty", NEW_YORK) for tag in ("es", "es-MX"))

    assert (spain.number(12345), mexico.number(12345)) == ("12.345", "12,345")
    assert (spain.money(1050, "MXN"), mexico.money(1050, "MXN")) == ("10,50\u00a0MXN", "$10.50")
    assert (spain.money(1050, "JPY"), spain.money(1050, "KWD")) == ("1.050\u00a0JPY", "1,050\u00a0KWD")


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (date(2018, 2, 1), "January 31, 2018"),
        (datetime(2018, 4, 1, 4, tzinfo=UTC), "March 31, 2018"),
        (datetime(2018, 4, 1, 3, 59, tzinfo=UTC), "March 31, 2018"),
        (datetime(2018, 4, 1, 4, 0, 1, tzinfo=UTC), "April 1, 2018"),
        (datetime(2018, 3, 11, 5, tzinfo=UTC), "March 10, 2018"),
        (datetime(2018, 3, 12, 4, tzinfo=UTC), "March 11, 2018"),
    ],
)
def test_last_day_is_the_one_before_the_end(end: date, said: str) -> None:
    """What ends as a day begins in the programme's zone is good through the day before, also when clocks change."""
    assert voice("en", ("en",), "Loyalty", NEW_YORK).last_day(end) == said

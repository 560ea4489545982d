"""The alphabet of SMS and its counting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.messages.gsm7 import BASIC, EXTENDED, fold, segments


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Tu saldo está aquí", "Tu saldo esta aqui"),
        ("Señor, ¿qué? ¡Ñ!", "Señor, ¿qué? ¡Ñ!"),
        ("1\u00a0234\u202f567", "1 234 567"),
        ("\u201cquoted\u201d \u2013 it\u2019s\u2026", '"quoted" - it\'s...'),
        ("Café Ø €5", "Café Ø €5"),
        ("Łódź", "Łodz"),
        ("Магазин", "Магазин"),
    ],
)
def test_folding(written: str, folded: str) -> None:
    """Letters of the alphabet stay, others lose an accent that it lacks, and what has no plain form stays whole."""
    assert fold(written) == folded


@pytest.mark.parametrize(
    ("message", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 135, 3),
        ("\U0001f389" * 35, 1),
        ("\U0001f389" * 36, 2),
        ("\U0001f389" * 66, 2),
        ("\U0001f389" * 67, 3),
        ("€" * 152, 2),
        ("€" * 153, 3),
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("ن" * 134, 2),
        ("ن" * 135, 3),
        ("é" * 160, 1),
        ("á" * 71, 2),
    ],
)
def test_segments(message: str, count: int) -> None:
    """160 characters fit alone and 153 in each of several; outside the alphabet 70 and 67, by UTF-16 units.

    What takes two units never stands half in one segment and half in the next.
    """
    assert segments(message) == count


@given(st.text())
def test_folding_once_is_enough(written: str) -> None:
    """Folding what is folded changes nothing, and what lies in the alphabet is never touched."""
    folded = fold(written)

    assert fold(folded) == folded
    assert fold("".join(BASIC | EXTENDED)) == "".join(BASIC | EXTENDED)

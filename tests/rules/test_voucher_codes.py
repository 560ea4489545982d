"""Voucher codes: slips of the finger are found, look-alikes are forgiven."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.rules.voucher_codes import ALPHABET, check_symbol, display, normalise

BODIES = st.text(ALPHABET, min_size=12, max_size=12)
CODES = BODIES.map(lambda body: body + check_symbol(body))


def test_check_symbol_is_the_weighted_sum() -> None:
    """The sum of index times position modulo 23: (1 x 1 + 22 x 12) mod 23 = 12, which is H."""
    assert check_symbol("10000000000X") == ALPHABET[(1 * 1 + 22 * 12) % 23] == "H"


@given(CODES)
def test_code_is_read_as_shown(code: str) -> None:
    """A code as people see it, in any case and with blanks around it, is the code."""
    assert normalise(code) == code
    assert normalise(display(code)) == code
    assert normalise(f" {display(code).lower()}\n") == code


@given(CODES, st.data())
def test_one_wrong_symbol_is_found(code: str, data: st.DataObject) -> None:
    """Any symbol replaced by any other, the check symbol too."""
    place = data.draw(st.integers(0, 12))
    wrong = data.draw(st.sampled_from(ALPHABET.replace(code[place], "")))

    assert normalise(code[:place] + wrong + code[place + 1 :]) is None


@given(CODES, st.integers(0, 11))
def test_swapped_neighbours_are_found(code: str, place: int) -> None:
    """Two neighbours swapped, unless they are the same, the check symbol too."""
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]

    assert normalise(swapped) == (code if swapped == code else None)


@given(CODES, st.data())
def test_look_alikes_are_forgiven(code: str, data: st.DataObject) -> None:
    """O, Q and D are read as 0, I and L as 1, Z as 2, S as 5, G as 6, B as 8, U and Y as V."""
    alike = {"0": "0OQDoqd", "1": "1ILil", "2": "2Zz", "5": "5Ss", "6": "6Gg", "8": "8Bb", "V": "VUYvuy"}

    typed = "".join(data.draw(st.sampled_from(alike.get(symbol, symbol))) for symbol in code)

    assert normalise(typed) == code


@pytest.mark.parametrize(
    "text", ["", "0", "0" * 12, "0" * 14, "A" * 13, "E" * 13, "\u0131" * 13, "\uff10" * 13, "0" * 100_000]
)
def test_what_is_no_code_is_none(text: str) -> None:
    """Too short, too long, or of other symbols."""
    assert normalise(text) is None


def test_hyphens_of_word_processors_are_hyphens() -> None:
    """A code pasted from a letter still works."""
    assert normalise("0000\u20130000\u20110000\u00a0-\u00a00") == "0000000000000"

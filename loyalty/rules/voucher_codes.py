"""Voucher codes: twelve symbols that can't be misread, and a check symbol that finds a slip of the finger.

The alphabet has 23 symbols, a prime, so the sum of index times position modulo 23 changes with every single
wrong symbol and with every swap of two neighbours.
"""

import re

ALPHABET = "0123456789CFHJKMNPRTVWX"
BODY_LENGTH = 12
CODE_LENGTH = BODY_LENGTH + 1
LONGEST_INPUT = 64

_INDEX = {symbol: index for index, symbol in enumerate(ALPHABET)}
_LOOK_ALIKES = str.maketrans("OQDILZSGBUY", "000112568VV")
# people also paste what word processors make of a hyphen, and the marks of direction around a code in Arabic
_FILLERS = re.compile(r"[\s\-\u2010-\u2015\u200e\u200f\u2066-\u2069]+")


def check_symbol(body: str) -> str:
    """Give the check symbol of twelve symbols of the alphabet."""
    return ALPHABET[sum(_INDEX[symbol] * position for position, symbol in enumerate(body, 1)) % len(ALPHABET)]


def folded(text: str) -> str | None:
    """Turn what a person typed into symbols of the alphabet; None if it can't be. Case, hyphens, look-alikes go."""
    code = _FILLERS.sub("", text[: LONGEST_INPUT + 1])
    if len(text) > LONGEST_INPUT or not code.isascii():  # before folding case: a dotless i would become "I"
        return None
    code = code.upper().translate(_LOOK_ALIKES)
    return code if all(symbol in _INDEX for symbol in code) else None


def normalise(text: str) -> str | None:
    """Turn what a person typed into the stored code of 13 symbols; None if it can't be a code of ours."""
    code = folded(text)
    if code is None or len(code) != CODE_LENGTH:
        return None
    return code if check_symbol(code[:BODY_LENGTH]) == code[BODY_LENGTH] else None


def display(code: str) -> str:
    """Group a stored code for people: XXXX-XXXX-XXXX-X."""
    return "-".join((code[0:4], code[4:8], code[8:12], code[12:]))

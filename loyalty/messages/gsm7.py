"""The alphabet of SMS (3GPP TS 23.038): 160 characters fit one message, 153 each part of a longer one.

One character outside it makes that 70 and 67, for the whole text; so letters with an accent that it lacks go without.
"""

import unicodedata

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("^{}\\[~]|€\f")  # each takes the room of two
# typographic quotation marks, dashes and the minus sign: Unicode does not decompose them
_LOOK_ALIKES = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
        **dict.fromkeys("\u201c\u201d\u201e", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    }
)


def fold(text: str) -> str:
    """The text with what has a plain counterpart written plainly: á as a, a no-break space as a space.

    What has none stays, and makes the message one of 70 characters.
    """
    return "".join(map(_folded, text.translate(_LOOK_ALIKES)))


def fits_alphabet(text: str) -> bool:
    """Whether the text goes out as GSM-7; else as UCS-2, in segments of less than half the length."""
    return all(symbol in BASIC or symbol in EXTENDED for symbol in text)


def segments(text: str) -> int:
    """How many messages the text is sent as. No symbol is cut in two, so a segment may go out one unit short."""
    plain = fits_alphabet(text)
    sizes = [_units(symbol, plain=plain) for symbol in text]
    alone, part = (160, 153) if plain else (70, 67)
    if sum(sizes) <= alone:
        return 1
    count, room = 1, part
    for size in sizes:
        if size > room:
            count, room = count + 1, part
        room -= size
    return count


def _units(symbol: str, *, plain: bool) -> int:
    return (2 if symbol in EXTENDED else 1) if plain else (2 if ord(symbol) > 0xFFFF else 1)


def _folded(symbol: str) -> str:
    if symbol in BASIC or symbol in EXTENDED:
        return symbol
    plain = "".join(part for part in unicodedata.normalize("NFKD", symbol) if not unicodedata.combining(part))
    return plain if plain and all(part in BASIC for part in plain) else symbol

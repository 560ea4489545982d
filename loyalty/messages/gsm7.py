"""The alphabet of SMS (3GPP TS 23.038): 160 characters fit one message, 153 each part of a longer one.

One character outside it halves that, for the whole text; so letters with an accent that it lacks go without.
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


def segments(text: str) -> int:
    """How many messages the text is sent as."""
    if all(symbol in BASIC or symbol in EXTENDED for symbol in text):
        length, alone, part = sum(2 if symbol in EXTENDED else 1 for symbol in text), 160, 153
    else:
        length, alone, part = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= alone else -(-length // part)


def _folded(symbol: str) -> str:
    if symbol in BASIC or symbol in EXTENDED:
        return symbol
    plain = "".join(part for part in unicodedata.normalize("NFKD", symbol) if not unicodedata.combining(part))
    return plain if plain and all(part in BASIC for part in plain) else symbol

"""The colours of e-mails, light and dark, and what makes text in them readable (WCAG 2.1, contrast of 4.5 or more)."""

from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass, replace
from functools import cache

LEAST = 4.5
_STEPS = 50  # from a colour to black or white
_BLACK, _WHITE = "#000000", "#ffffff"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by what they are for; `hero` stands behind the heading, the accents are text on cards, panels, page."""

    page: str
    card: str
    panel: str
    edge: str
    frame: str
    track: str
    ink: str
    soft: str
    good: str
    warn: str
    calm: str
    fill: str


@dataclass(frozen=True, slots=True)
class Hero:
    """The field behind the heading: from one colour to another, and the colour of the text on both."""

    colour: str
    deep: str
    ink: str


_LIGHT = Palette(
    page="#f3f1ec",
    card="#ffffff",
    panel="#f6f4ef",
    edge="#e3dfd6",
    frame="#b9b1a1",
    track="#ddd6c9",
    ink="#1d2529",
    soft="#5a6266",
    good="",
    warn="#8f4a06",
    calm="#3f4a5a",
    fill="#b8620c",
)
_DARK = Palette(
    page="#101416",
    card="#1b2124",
    panel="#232b2f",
    edge="#2b3438",
    frame="#56636a",
    track="#3a464b",
    ink="#eef2f3",
    soft="#a9b4ba",
    good="",
    warn="#f2b36b",
    calm="#b9c6d8",
    fill="#f2b36b",
)


@cache
def palettes(brand: str) -> tuple[Palette, Palette]:
    """The light and the dark palette of a brand's colour (#rrggbb), which they make darker or lighter to be read."""
    return _with_accent(_LIGHT, brand), _with_accent(_DARK, brand)


@cache
def hero(colour: str) -> Hero:
    """The field of a colour: its text is white or, where that can't be read, black."""
    ink = _WHITE if contrast(colour, _WHITE) >= LEAST else _BLACK
    return Hero(colour, mixed(colour, _BLACK if ink == _WHITE else _WHITE, 0.25), ink)


def contrast(one: str, other: str) -> float:
    """How far two colours (#rrggbb) stand apart, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(colour: str, other: str, share: float) -> str:
    """A colour with a share of another one, from 0 to 1."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(mine + (theirs - mine) * share):02x}" for mine, theirs in pairs)


def readable(colour: str, *grounds: str) -> str:
    """The colour, made as much darker or lighter as it takes to be read on all of these grounds."""
    hue, light, saturation = rgb_to_hls(*(channel / 255 for channel in _channels(colour)))
    goal = max((0.0, 1.0), key=lambda end: min(contrast(_from_hls(hue, end, saturation), each) for each in grounds))
    shades = (_from_hls(hue, light + (goal - light) * step / _STEPS, saturation) for step in range(_STEPS + 1))
    return next(shade for shade in shades if all(contrast(shade, ground) >= LEAST for ground in grounds))


def _from_hls(hue: float, light: float, saturation: float) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in hls_to_rgb(hue, light, saturation))


def _with_accent(palette: Palette, brand: str) -> Palette:
    return replace(palette, good=readable(brand, palette.page, palette.card, palette.panel))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

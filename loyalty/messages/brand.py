"""How the programme looks in e-mails: its colour, logo, website, postal address and sender, by LOYALTY_BRAND_…."""

from dataclasses import dataclass
from functools import cache

from loyalty.messages.palette import Hero, Palette, hero, palettes
from loyalty.settings import settings

NOBODY = "no-reply@loyalty.invalid"  # a domain reserved by RFC 2606: nothing leaves this machine with it
_WARN, _CALM = "#8f4a06", "#3f4a5a"


@dataclass(frozen=True, slots=True)
class Brand:
    """What templates see as `brand`. Addresses of `logo` and `website` are https; `sender` is a mailbox."""

    colour: str
    logo: str | None
    website: str | None
    address: str | None
    sender: str

    @property
    def light(self) -> Palette:
        """The colours by day."""
        return palettes(self.colour)[0]

    @property
    def dark(self) -> Palette:
        """The colours of dark mode."""
        return palettes(self.colour)[1]

    def hero(self, tone: str) -> Hero:
        """The field behind the heading: the brand's colour for what is good, others for "warn" and "calm"."""
        return hero({"warn": _WARN, "calm": _CALM}.get(tone, self.colour))

    @property
    def night_style(self) -> str:
        """The rules of style that make an e-mail dark: by what most programs ask for, and by Outlook's own way."""
        return _night_style(self.colour)

    @property
    def domain(self) -> str:
        """The sender's domain."""
        return self.sender.rpartition("@")[2]


@cache
def _night_style(colour: str) -> str:
    dark = palettes(colour)[1]
    rules = {
        "page": f"background-color: {dark.page} !important;",
        "card": f"background-color: {dark.card} !important; border-color: {dark.edge} !important;",
        "panel": f"background-color: {dark.panel} !important; border-color: {dark.frame} !important;",
        "track": f"background-color: {dark.track} !important;",
        "fill": f"background-color: {dark.fill} !important;",
        "rule": f"border-color: {dark.frame} !important;",
        "ink": f"color: {dark.ink} !important;",
        "soft": f"color: {dark.soft} !important;",
        "tone-good": f"color: {dark.good} !important;",
        "tone-warn": f"color: {dark.warn} !important;",
        "tone-calm": f"color: {dark.calm} !important;",
        "logo": "background-color: #ffffff !important; padding: 6px !important; border-radius: 6px !important;",
    }
    asked = "\n".join(f".{name} {{ {rule} }}" for name, rule in rules.items())
    outlook = "\n".join(f"[data-ogsc] .{name} {{ {rule} }}" for name, rule in rules.items())
    return f"@media (prefers-color-scheme: dark) {{\n{asked}\n}}\n{outlook}"


def brand() -> Brand:
    """The brand as the settings have it now. Raises ConfigurationError."""
    now = settings()
    return Brand(
        colour=now.brand_colour,
        logo=now.brand_logo,
        website=now.brand_website,
        address=now.brand_address,
        sender=now.brand_sender or NOBODY,
    )

"""E-mails as HTML: well formed, readable by day and by night, for everybody, in the brand's colours."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.errors import ConfigurationError
from loyalty.messages.brand import brand
from loyalty.messages.facts import KINDS
from loyalty.messages.palette import LEAST, contrast, hero, mixed, palettes
from loyalty.messages.preview import STAFF, darkened, preview, staff_preview
from loyalty.settings import settings

VOID = {"br", "img", "meta"}
SHEETS = [(kind, language) for kind in KINDS for language in ("en", "es", "ar")]
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
_RULE = re.compile(r"^\.([\w-]+) \{ (.*) \}$", re.MULTILINE)
_COLOUR = re.compile(r"(?:^|;)\s*(color|background-color):\s*(#[0-9a-f]{6})")
_GRADIENT = re.compile(r"linear-gradient\(135deg,(#[0-9a-f]{6}),(#[0-9a-f]{6})\)")


class Page(HTMLParser):
    """Reads an e-mail as a program shows it: each text with its colour, and what stands behind it."""

    def __init__(self, html: str, *, dark: bool) -> None:
        super().__init__()
        night = html.partition("@media (prefers-color-scheme: dark) {")[2].partition("\n}")[0]
        self.rules = dict(_RULE.findall(night)) if dark else {}
        self.open: list[tuple[str, str, tuple[str, ...]]] = [("", "#000000", ("#ffffff",))]
        self.told: list[tuple[str, str, tuple[str, ...]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.hidden = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element, with the colours that its style and its classes give it."""
        given = dict(attrs)
        assert len(given) == len(attrs), f"<{tag}> has an attribute twice"
        self.tags.append((tag, given))
        if tag in VOID:
            return
        _, ink, grounds = self.open[-1]
        style = given.get("style") or ""
        classes = (given.get("class") or "").split()
        found = dict(_COLOUR.findall(style))
        for name in classes:
            found |= dict(_COLOUR.findall(self.rules.get(name, "").replace(" !important", "")))
        ink = found.get("color", ink)
        grounds = (found["background-color"],) if "background-color" in found else grounds
        if gradient := _GRADIENT.search(style):
            grounds = gradient.groups()
        self.open.append((tag, ink, grounds))
        self.hidden += tag in {"style", "title"} or "display:none" in style

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be the one that is named."""
        opened, *_ = self.open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"
        if tag in {"style", "title"} or (tag == "div"):
            self.hidden -= 1

    def handle_data(self, data: str) -> None:
        """Keep a text that is shown."""
        if data.strip("\xa0 \n") and not self.hidden:
            self.told.append((data.strip(), *self.open[-1][1:]))


@pytest.mark.parametrize(("kind", "language"), SHEETS)
def test_emails_are_well_formed_and_for_everybody(kind: str, language: str) -> None:
    """Elements close in order; the language and its direction stand where programs that cut the head off find them.

    Pictures have words, tables that only lay out say so, links lead somewhere, and what is bigger than a megabyte or
    so long that programs cut it (100 kB) is not sent.
    """
    html = preview(kind, language).html
    page = Page(html, dark=False)
    direction = "rtl" if language == "ar" else "ltr"
    by_tag: dict[str, list[dict[str, str | None]]] = {}
    for tag, attributes in page.tags:
        by_tag.setdefault(tag, []).append(attributes)

    assert len(page.open) == 1
    assert [(each["lang"], each["dir"]) for each in (*by_tag["html"], *by_tag["body"], by_tag["table"][0])] == [
        (language, direction)
    ] * 3
    assert all(each.get("alt") for each in by_tag.get("img", []))
    assert all((each.get("href") or "").startswith("https://") for each in by_tag.get("a", []))
    data = [each for each in by_tag["table"] if each.get("role") != "presentation"]
    assert len(data) == ("th" in by_tag)
    assert all(each["scope"] == "row" for each in by_tag.get("th", []))
    assert len(by_tag["h1"]) == len(by_tag["title"]) == 1
    assert {"name": "color-scheme", "content": "light dark"} in by_tag["meta"]
    assert len(html.encode()) < 40_000
    if language == "ar":
        assert "letter-spacing:-" not in html  # letters of Arabic are joined


@pytest.mark.parametrize(("kind", "language"), SHEETS)
@pytest.mark.parametrize("dark", [False, True])
def test_every_word_can_be_read(kind: str, language: str, dark: bool) -> None:
    """The contrast of every text with what stands behind it is 4.5 at least, by day and by night."""
    page = Page(preview(kind, language).html, dark=dark)

    assert len(page.told) > 5
    assert [text for text, ink, grounds in page.told if min(contrast(ink, each) for each in grounds) < LEAST] == []
    assert bool(page.rules) is dark


@pytest.mark.parametrize("kind", sorted(STAFF))
@pytest.mark.parametrize("language", ["en", "es", "ar"])
def test_messages_to_staff_can_be_read(kind: str, language: str) -> None:
    """What staff get is well formed and readable too, and its HTML says what its text says."""
    shown = staff_preview(kind, language)
    direction = "rtl" if language == "ar" else "ltr"

    for dark in (False, True):
        page = Page(shown.html, dark=dark)
        assert len(page.open) == 1
        stands = [(each["lang"], each["dir"]) for tag, each in page.tags if tag in {"html", "body"}]
        assert stands == [(language, direction)] * 2
        assert all(min(contrast(ink, each) for each in grounds) >= LEAST for _, ink, grounds in page.told)
    said = " ".join(" ".join(text for text, *_ in page.told).split())
    lines = [" ".join(line.split()) for line in shown.text.splitlines()]
    addresses = {given["href"] for tag, given in page.tags if tag == "a"}
    assert shown.subject in said
    assert [line for line in lines if line not in said and line not in addresses] == []


@given(COLOURS)
def test_any_brand_can_be_read(colour: str) -> None:
    """Whatever colour is chosen, words in it and on it have their contrast, by day and by night."""
    field = hero(colour)

    assert min(contrast(field.ink, field.colour), contrast(field.ink, field.deep)) >= LEAST
    for palette in palettes(colour):
        for ink in (palette.good, palette.warn, palette.calm, palette.ink, palette.soft):
            assert min(contrast(ink, each) for each in (palette.page, palette.card, palette.panel)) >= LEAST


def test_contrast_by_known_vectors() -> None:
    """Black on white is 21, a colour on itself 1; #777777 just misses what #767676 just has."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#336699", "#336699") == 1
    assert [round(contrast(grey, "#ffffff"), 2) for grey in ("#777777", "#767676")] == [4.48, 4.54]
    assert mixed("#000000", "#ffffff", 0.5) == "#808080"


def test_brand_comes_from_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colour, logo and website are the programme's own; without a logo there is its name."""
    for name, value in {
        "COLOUR": "#FFCC00",
        "LOGO": "https://shop.example/logo.png",
        "WEBSITE": "https://shop.example/?a=1&b=2",
        "SENDER": "rewards@shop.example",
    }.items():
        monkeypatch.setenv(f"LOYALTY_BRAND_{name}", value)
    html = preview("welcome", "en", programme="Bell & Sons").html
    page = Page(html, dark=True)
    images = [given for tag, given in page.tags if tag == "img"]

    assert (brand().sender, brand().domain) == ("rewards@shop.example", "shop.example")
    assert [(image["src"], image["alt"]) for image in images] == [("https://shop.example/logo.png", "Bell & Sons")]
    assert next(given["href"] for tag, given in page.tags if tag == "a") == "https://shop.example/?a=1&b=2"
    assert 'bgcolor="#ffcc00"' in html
    assert min(contrast(ink, each) for _, ink, grounds in page.told for each in grounds) >= LEAST


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("COLOUR", "green", 'must be a colour such as #0f5e55, not "green"'),
        ("LOGO", "http://shop.example/x.png", "must be an address that begins with https://"),
        ("WEBSITE", 'https://x" onload="', "must be an address that begins with https://"),
        ("SENDER", "Shop <a@shop.example>", "must be one address such as rewards@shop.example, without a name"),
    ],
)
def test_a_wrong_brand_is_named(name: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of the brand that can't be is an error that names it."""
    monkeypatch.setenv(f"LOYALTY_BRAND_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        settings()

    assert str(refused.value) == f"LOYALTY_BRAND_{name} {problem}"


def test_a_dark_preview_is_dark_for_everybody() -> None:
    """Shown dark, an e-mail asks nobody what they prefer; nothing else of it changes."""
    html = preview("welcome", "en").html
    dark = darkened(html)

    assert "prefers-color-scheme" not in dark
    assert list(_visible(dark)) == list(_visible(html))


def _visible(html: str) -> Iterator[str]:
    return (text for text, *_ in Page(html, dark=False).told)

"""Pages as Markdown and as HTML."""

import base64
import re
from html.parser import HTMLParser

import pytest

from loyalty.reports import health, markdown_pages, roi
from loyalty.reports.html import html_report
from loyalty.reports.page import Headline, Page, Section, Table, Text
from tests.reports.conftest import DECEMBER, Books

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Outline(HTMLParser):
    """Whether every element is closed in order, and what it refers to."""

    def __init__(self, source: str) -> None:
        """Read the whole of it."""
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.add(tag)
        named = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [str(named[name]) for name in ("href", "src", "data", "action", "poster") if name in named]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content, as in SVG."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """An element ends: the one that began last."""
        assert self.open.pop() == tag


@pytest.fixture
def both(books: Books) -> tuple[health.Health, roi.Roi]:
    """The reports of a month in which something happened."""
    books.members({"Bronze": 2, "Silver": 1, "Gold": 1})
    books.statement(1, opening=1200, earned=34_567, redeemed=11, transactions=2, spend=123_456)
    books.statement(2, held="Bronze", after="Silver", earned=8, transactions=1, spend=9_900)
    books.statement(3, held="Gold", spend=77_700, transactions=1)
    books.voucher(2, DECEMBER, "Silver", 500)
    return health.numbers(books.connection, DECEMBER), roi.numbers(books.connection, DECEMBER)


def test_markdown_holds_the_numbers_and_charts_that_render(both: tuple[health.Health, roi.Roi]) -> None:
    """Law: each report has its headlines, its tables, and charts as SVG images within the text."""
    for text, figures in (
        (
            health.markdown(both[0]),
            ("# Programme health · December 2017", "**34,575**", "+34,575", "**35,764**", "75.0%"),
        ),
        (roi.markdown(both[1]), ("# Programme ROI · December 2017", "**$777.00**", "$2,110.56", "$345.75")),
    ):
        assert [figure for figure in figures if figure not in text] == []
        images = re.findall(r"!\[[^\]]+\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
        assert len(images) == text.count("![") > 1
        assert {base64.b64decode(image)[:4] for image in images} == {b"<svg"}


def test_tables_are_aligned_in_the_source_too(both: tuple[health.Health, roi.Roi]) -> None:
    """Law: the lines of a table are equally long, so that it reads as plain text."""
    for text in (health.markdown(both[0]), roi.markdown(both[1])):
        tables = re.findall(r"(?:^\| .*\|\n)+", text.partition("\n## ")[2], re.MULTILINE)
        assert len(tables) > 1
        assert {len({len(line) for line in table.splitlines()}) for table in tables} == {1}


def test_names_that_people_gave_are_text_in_markdown_and_html() -> None:
    """Law: a programme, tier or gift may be called anything; nothing of it becomes markup."""
    name = "a|b\n[x](y) <b>*c*</b> `d` # \\"
    page = Page(
        title="T",
        programme=name,
        period="P",
        basis="B",
        headlines=(Headline("H", "1", "n"),),
        sections=(Section("S", (Text(name), Table("C", ("", name), ((name, "1"),)))),),
    )
    escaped = r"a\|b \[x\](y) \<b\>\*c\*\</b\> \`d\` \# \\"

    assert markdown_pages.markdown(page) == "\n".join(
        (
            "# T · P",
            "",
            f"{escaped} · B",
            "",
            "| H |",
            "| :-- |",
            "| **1**<br>n |",
            "",
            "## S",
            "",
            escaped,
            "",
            "C",
            "",
            f"| {'':{len(escaped)}} | {escaped} |",
            f"| :{'-' * (len(escaped) - 1)} | {'-' * (len(escaped) - 1)}: |",
            f"| {escaped} | {'1':>{len(escaped)}} |",
            "",
        )
    )


def test_a_table_without_rows_says_none() -> None:
    """Law: nothing to list is said in words."""
    assert markdown_pages._table(Table("Gifts", ("Gift", "Open"), ())) == "Gifts: none."


def test_the_html_file_is_one_and_needs_no_other(both: tuple[health.Health, roi.Roi]) -> None:
    """Law: well-formed, no script, nothing fetched: links only within; each drawing has a text alternative."""
    source = html_report(*both)
    outline = Outline(source)

    assert outline.open == []
    assert {"script", "iframe", "img", "link", "object"} & outline.tags == set()
    assert [link for link in outline.links if link.removeprefix("#") not in outline.ids] == []
    assert re.findall(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg\")", source) == []
    assert source.count("<svg ") == source.count('role="img" aria-label="') > 5
    assert len(outline.ids) == len(set(outline.ids))


def test_the_html_file_holds_both_reports_numbers(both: tuple[health.Health, roi.Roi]) -> None:
    """Law: what the Markdown says the page says, and the same numbers give the same bytes."""
    source = html_report(*both)

    figures = ("34,575", "35,764", "75.0%", "$777.00", "$2,110.56", "$345.75", "Programme ROI", "December 2017")
    assert [figure for figure in figures if figure not in source] == []
    assert html_report(*both) == source


def test_an_empty_month_is_a_page_too(books: Books) -> None:
    """Law: a report of nothing renders in both forms."""
    empty = health.numbers(books.connection, DECEMBER), roi.numbers(books.connection, DECEMBER)

    assert Outline(html_report(*empty)).open == []
    assert "Vouchers issued" in health.markdown(empty[0])
    assert "none." in roi.markdown(empty[1])

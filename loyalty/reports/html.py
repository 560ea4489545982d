"""Reports of a period as a self-contained HTML file, both in one or each alone: nothing fetched, no script."""

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from loyalty.reports import health, roi
from loyalty.reports.charts import Chart
from loyalty.reports.page import Block, Page, Table, Text

NARROW = 4  # columns of a table that has room beside a chart
_KINDS = {Text: "text", Chart: "chart", Table: "table"}


def html_report(health_numbers: health.Health, roi_numbers: roi.Roi) -> str:
    """The text of a file with both reports; the same numbers give the same text, to the byte."""
    return html_pages(health.page(health_numbers), roi.page(roi_numbers))


def html_pages(*pages: Page) -> str:
    """The text of a file with these pages, at least one."""
    return _template().render(pages=pages, first=pages[0])


def _rows(blocks: Sequence[Block]) -> list[list[Block]]:
    """Blocks in rows: a narrow table stands beside the charts that it spells out, everything else alone."""
    rows: list[list[Block]] = []
    for block in blocks:
        after_chart = bool(rows) and isinstance(rows[-1][-1], Chart)
        beside = isinstance(block, Table) and len(block.headers) <= NARROW and bool(block.rows)
        if after_chart and (beside or isinstance(block, Chart)):
            rows[-1].append(block)
        else:
            rows.append([block])
    return rows


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("loyalty.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["in_rows"] = _rows
    environment.filters["drawn"] = lambda chart: Markup(chart.inline())  # noqa: S704 - charts escape every text themselves
    environment.filters["kind"] = lambda block: _KINDS[type(block)]
    return environment.get_template("report.html.j2")

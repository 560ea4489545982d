"""A page as Markdown, for a Prefect artifact: aligned tables, charts as images inside the text."""

import re

from loyalty.reports.charts import Chart
from loyalty.reports.page import Block, Page, Table, Text

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def markdown(page: Page) -> str:
    """The page, beginning with its title. Names that people gave can't become markup."""
    headlines = " | ".join(f"**{_plain(one.value)}**<br>{_plain(one.note)}" for one in page.headlines)
    parts = [
        f"# {_plain(page.title)} · {_plain(page.period)}",
        f"{_plain(page.programme)} · {_plain(page.basis)}",
        "\n".join(
            (
                f"| {' | '.join(_plain(one.label) for one in page.headlines)} |",
                f"|{' :-- |' * len(page.headlines)}",
                f"| {headlines} |",
            )
        ),
    ]
    for section in page.sections:
        parts.append(f"## {_plain(section.title)}")
        parts.extend(_block(block) for block in section.blocks)
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Text):
        return f"**{_plain(block.text)}**" if block.warning else _plain(block.text)
    if isinstance(block, Chart):
        return f"![{_plain(block.title)}]({block.image()})"
    return _table(block)


def _table(table: Table) -> str:
    """The table with its caption above; figures are flushed right, a total is bold."""
    if not table.rows:
        return f"{_plain(table.caption)}: none."
    rows = [[_plain(cell) for cell in row] for row in table.rows]
    if table.total:
        rows[-1] = [f"**{cell}**" for cell in rows[-1]]
    cells = [[_plain(cell) for cell in table.headers], *rows]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(table.headers))]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(cells[0], widths), "| " + " | ".join(rule) + " |", *(_line(row, widths) for row in cells[1:])]
    return f"{_plain(table.caption)}\n\n" + "\n".join(lines)


def _line(cells: list[str], widths: list[int]) -> str:
    first = cells[0].ljust(widths[0])
    return (
        "| "
        + " | ".join((first, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))))
        + " |"
    )


def _plain(text: str) -> str:
    """Text that Markdown shows as it is; backquotes of ours are kept out of it too."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))

"""What a reader of a report sees, whatever the format: headline figures, then sections of text, charts and tables."""

from dataclasses import dataclass

from loyalty.reports.charts import Chart
from loyalty.reports.facts import Programme


@dataclass(frozen=True)
class Headline:
    """A figure worth a large type: `note` is a short line below it."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Text:
    """A paragraph; a warning is one that a reader must not miss."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Table:
    """Cells as they are shown: the first column names the row, the others are figures.

    total says that the last row sums the others.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: bool = False


Block = Text | Chart | Table


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in order."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A whole report of a programme's month; `basis` says by which rules it was made, `source` from what."""

    title: str
    programme: str
    period: str
    basis: str
    headlines: tuple[Headline, ...]
    sections: tuple[Section, ...]
    source: str = "the month's statements"


def basis(rules: Programme) -> str:
    """By which rules a report is made, and whether its period may still change."""
    version = f"Rules version {rules['rules_version']}, {rules['currency']}"
    # a close makes its reports in its last steps, when all that they tell is settled
    return version if rules["state"] != "open" else f"{version}; the month is {rules['state']}"

"""The segments that stand, as Markdown for a Prefect artifact: sizes, never members."""

from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from loyalty.db import segments
from loyalty.db.segments import Cell, Counts
from loyalty.db.statements import run
from loyalty.reports import charts, markdown_pages
from loyalty.reports.formats import NOTHING, average, money, percent, signed, whole
from loyalty.reports.page import Headline, Page, Section, Table, Text

ARTIFACT_KEY: Final = "segments"
_MEANING = {
    "active": f"bought in the last {segments.ACTIVE_DAYS} days",
    "best": "among the best fifth in recency, frequency and spend",
    "one_time": f"bought once, {segments.ONE_TIME_DAYS} days ago or longer",
    "at_risk": "bought often, but not lately: frequency 3 to 5, recency 1 or 2",
    "lapsed": f"bought before, but not in the last {segments.ACTIVE_DAYS} days",
    "near_threshold": f"lack at most {segments.NEAR_SHARE:.0%} of the next tier's points",
}
_SCORES = "A score of 5 is the best fifth of the active members, 1 the last; members who are alike score alike."


def page(connection: Connection) -> str:
    """The page. Raises Refused if no segments were computed yet."""
    counts, cells = segments.standing(connection), segments.cells(connection)
    programme = run(connection, "segments/programme_at", at=counts.as_of).one()
    active = counts.members["active"]
    shown = Page(
        title="Segments",
        programme=programme.name,
        period=f"{counts.as_of.astimezone(ZoneInfo(programme.time_zone)):%Y-%m-%d}",
        basis="Computed from every purchase known by then",
        headlines=(
            Headline("Members who ever bought", whole(counts.known), ""),
            Headline("Active", whole(active), percent(active, counts.known)),
            Headline("At risk", whole(counts.members["at_risk"]), percent(counts.members["at_risk"], active)),
        ),
        sections=(
            Section("Sizes", (_bars(counts), _sizes(counts))),
            Section("Recency and frequency", (Text(_SCORES), *_grids(cells, programme.currency))),
        ),
    )
    return markdown_pages.markdown(shown)


def _bars(counts: Counts) -> charts.Chart:
    rows = [charts.Bar(_named(name), ((members, "a"),), whole(members)) for name, members in counts.members.items()]
    return charts.bars("Members by segment", rows)


def _sizes(counts: Counts) -> Table:
    before = counts.before or {}
    rows = tuple(
        (
            f"{_named(name)}: {_MEANING[name]}",
            whole(members),
            percent(members, counts.known),
            signed(members - before[name]) if name in before else NOTHING,
        )
        for name, members in counts.members.items()
    )
    return Table("A member may be in several segments", ("Segment", "Members", "Share", "Since the last time"), rows)


def _grids(cells: list[Cell], currency: str) -> tuple[Table, Table]:
    by_scores = {(cell.recency, cell.frequency): cell for cell in cells}
    heads = ("Recency", *(f"Frequency {score}" for score in range(1, 6)))

    def grid(caption: str, shown: dict[tuple[int, int], str]) -> Table:
        rows = tuple(
            (str(recency), *(shown.get((recency, score), NOTHING) for score in range(1, 6)))
            for recency in range(5, 0, -1)
        )
        return Table(caption, heads, rows)

    return (
        grid("Active members", {scores: whole(cell.members) for scores, cell in by_scores.items()}),
        grid(
            "Their average spend",
            {scores: money(average(cell.spend, cell.members), currency) for scores, cell in by_scores.items()},
        ),
    )


def _named(segment: str) -> str:
    return segment.replace("_", " ").capitalize()

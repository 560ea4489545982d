"""The nightly audit as Markdown for a Prefect artifact: which checks hold, and the offending rows of those that don't.

No personal data: of what a row holds, numbers, times and the ledger's own words are shown. Any other text, such as a
transaction's id or a voucher's code, is not; `loyalty verify` shows it to whoever may reach the database.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from loyalty.db.verify import SHOWN, Check
from loyalty.reports import markdown_pages
from loyalty.reports.formats import NOTHING, whole
from loyalty.reports.page import Block, Headline, Page, Section, Table, Text

ARTIFACT_KEY = "audit-ledger"
HIDDEN = "(not shown)"
_WORDS = frozenset({"kind", "state"})  # columns whose text is the ledger's own
_WHAT_TO_DO = (
    "Nothing was changed. Close no month until the cause is known. The command loyalty verify runs the same checks "
    "and shows the rows whole."
)


def markdown(checks: Sequence[Check], programme: str, at: datetime) -> str:
    """The page of an audit of that instant of the programme clock."""
    failed = [check for check in checks if not check.holds]
    found = sum(check.found for check in failed)
    sections = [Section(_title(check), _offending(check)) for check in failed]
    sections.append(Section("Checks that hold", (_held([check for check in checks if check.holds]),)))
    return markdown_pages.markdown(
        Page(
            title="Audit of the ledger",
            programme=programme,
            period=f"{at:%Y-%m-%d %H:%M} UTC",
            basis=_WHAT_TO_DO if failed else "Every check holds on one and the same state of the database.",
            headlines=(
                Headline("Checks that hold", whole(len(checks) - len(failed)), f"of {whole(len(checks))}"),
                Headline("Checks that failed", whole(len(failed)), "see below" if failed else "none"),
                Headline("Offending rows", whole(found), f"the first {SHOWN} of each" if found else "none"),
            ),
            sections=tuple(sections),
        )
    )


def summary(checks: Sequence[Check]) -> str:
    """The audit in one line: that all holds, or which checks failed, by how many rows, and what to do."""
    failed = [check for check in checks if not check.holds]
    if not failed:
        return f"all {len(checks)} checks hold"
    told = ", ".join(f"{check.name} ({rows(check.found)})" for check in failed)
    return (
        f"{len(failed)} of {len(checks)} checks failed: {told}. Nothing was changed: see the artifact {ARTIFACT_KEY}, "
        "and close no month until the cause is known"
    )


def rows(number: int) -> str:
    """A count of rows: 1 row, 1,200 rows."""
    return f"{whole(number)} {'row' if number == 1 else 'rows'}"


def _title(check: Check) -> str:
    return f"{_words(check.name)}: {rows(check.found)}"


def _offending(check: Check) -> tuple[Block, ...]:
    heads = tuple(_words(name) for name in check.rows[0])
    cells = tuple(tuple(_shown(name, value) for name, value in row.items()) for row in check.rows)
    more = check.found - len(check.rows)
    blocks: list[Block] = [Text(f"It looks for {check.looks_for}.", warning=True), Table("The rows", heads, cells)]
    if more:
        blocks.append(Text(f"and {rows(more)} more."))
    return tuple(blocks)


def _held(checks: Sequence[Check]) -> Table:
    took = tuple((_words(check.name), f"{check.seconds:.2f}") for check in checks)
    return Table("All of them found no row", ("Check", "Seconds"), took)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(column: str, value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, str) and column not in _WORDS:
        return HIDDEN
    if isinstance(value, list):
        return ", ".join(_shown(column, one) for one in value)
    return f"{value:%Y-%m-%d %H:%M}Z" if isinstance(value, datetime) else str(value)

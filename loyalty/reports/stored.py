"""Reports as they are kept: numbers with revisions. The same numbers again are no new revision."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection

from loyalty.db.statements import run
from loyalty.rules.periods import display_period, shifted

Kind = Literal["health", "roi"]
MONTHS_SHOWN = 12


def artifact_key(kind: Kind, period: date) -> str:
    """The key of the report as an artifact: loyalty-health-2017-12. A later revision is its next version."""
    return f"loyalty-{kind}-{display_period(period)}"


def store(connection: Connection, period: date, kind: Kind, numbers: Mapping[str, Any], made_at: datetime) -> int:
    """Keep the numbers and return their revision, counted from 1; the newest one's if these are its numbers."""
    text = json.dumps(numbers, ensure_ascii=False)
    while True:  # another process may store the same revision in the same moment: then look again
        row = run(connection, "reports/store_report", period=period, kind=kind, numbers=text, made_at=made_at).one()
        if row.revision is not None:
            return int(row.revision)


def newest(connection: Connection, period: date, kind: Kind) -> tuple[int, Any] | None:
    """The newest revision and its numbers; None if the period has no such report."""
    row = run(connection, "reports/newest_report", period=period, kind=kind).one_or_none()
    return None if row is None else (row.revision, row.numbers)


def earlier_summaries(connection: Connection, period: date, kind: Kind) -> dict[date, Any]:
    """The summaries of the eleven periods before, as far as they have a report, by period in order."""
    first = shifted(period, 1 - MONTHS_SHOWN)
    rows = run(connection, "reports/earlier_reports", kind=kind, first=first, period=period)
    return {row.period: row.summary for row in rows}

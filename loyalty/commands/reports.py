"""`loyalty report PERIOD`: a month's health and ROI reports as one HTML file that needs nothing else."""

from argparse import Namespace
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from loyalty.commands.terminal import output, say
from loyalty.db.engine import connect
from loyalty.db.programme import check_ready
from loyalty.errors import Refused
from loyalty.reports import stored
from loyalty.reports.html import html_report
from loyalty.rules.periods import display_period
from loyalty.settings import settings


def report(given: Namespace) -> int:
    """Write the newest reports that were made for the month; their path, unless it was given, is printed."""
    check_ready()
    with connect() as connection:
        page = html_report(_newest(connection, given.period, "health"), _newest(connection, given.period, "roi"))
    path = given.out or str(_place(given.period))
    with output(path) as out:
        out.write(page.encode("utf-8"))
    say(path)
    return 0


def _newest(connection: Connection, period: date, kind: stored.Kind) -> Any:
    found = stored.newest(connection, period, kind)
    if found is None:
        raise Refused(f"there is no report of {display_period(period)} yet: closing the month makes it")
    return found[1]


def _place(period: date) -> Path:
    folder = settings().home_folder / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"loyalty-{display_period(period)}.html"

"""`loyalty campaigns check|simulate|start|stop|report|list|run`: campaigns from idea to report."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from loyalty import clock
from loyalty.commands.terminal import moment, output, say, say_json, say_list, table
from loyalty.db import campaigns
from loyalty.db.engine import connect
from loyalty.db.programme import check_ready
from loyalty.reports import campaign as pages
from loyalty.reports.page import Table
from loyalty.rules.campaign import read, to_toml
from loyalty.settings import settings


def check(given: Namespace) -> int:
    """Read a campaign's file, and see that it fits the programme; its mistakes, each in a line, are the failure."""
    wanted = read(Path(given.file))
    check_ready()
    with connect() as connection:
        campaigns.check(connection, wanted, clock.now())
    say(f"{given.file}: the campaign is valid")
    return 0


def simulate(given: Namespace) -> int:
    """Show what a campaign would have given in the time before."""
    wanted = read(Path(given.file))
    check_ready()
    now = clock.now()
    simulated = campaigns.simulate(wanted, now)
    with connect() as connection:
        figures = pages.figures(connection, wanted, simulated, now)
    if given.json:
        say_json(figures)
        return 0
    page = pages.proposal(wanted, figures)
    say(f"{page.title}. {page.basis}.")
    say(*table(("", "", ""), [(one.label, one.value, one.note) for one in page.headlines])[1:])
    blocks = [block for block in page.sections[-1].blocks if isinstance(block, Table)]
    say(*(line for block in blocks for line in table(block.headers, block.rows)[1:]))
    return 0


def start(given: Namespace, ask: Callable[[str], str]) -> int:
    """Ask for a campaign to be started; `ask` does it with the text of its file."""
    wanted = read(Path(given.file))
    check_ready()
    say(ask(to_toml(wanted)))
    return 0


def stop(given: Namespace) -> int:
    """End a campaign that runs."""
    check_ready()
    done = campaigns.stop(given.name, by=given.by, at=clock.now())
    say(f"{given.name} is stopped" if done else f"{given.name} was over already: unchanged")
    return 0


def report(given: Namespace) -> int:
    """Write what a campaign brought as HTML; the path, unless it was given, is printed, with the outcome in a line."""
    check_ready()
    with connect() as connection:
        found = pages.report(connection, given.name, clock.now())
    folder = settings().home_folder / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    path = given.out or str(folder / f"campaign-{given.name}.html")
    with output(path) as out:
        out.write(pages.html(found).encode())
    say(pages.told(found), path)
    return 0


def show(given: Namespace) -> int:
    """List all campaigns."""
    check_ready()
    with connect() as connection:
        found = campaigns.listed(connection)
    now = clock.now()
    if given.json:
        say_json([{key: getattr(one, key) for key in _KEYS} | {"state": one.state_at(now)} for one in found])
        return 0
    heads = ("campaign", "gives", "from", "until", "state", "spent", "budget", "approval")
    rows = [
        (
            one.name,
            one.gives,
            moment(one.begins_at or one.starts_at),
            moment(one.until),
            one.state_at(now),
            one.spent,
            one.budget,
            None if one.approval_no is None else str(one.approval_no),
        )
        for one in found
    ]
    say_list("campaigns", heads, rows, right=("spent", "budget", "approval"))
    return 0


_KEYS = "name gives starts_at ends_at begins_at until state spent budget asked_by decided_by approval_no".split()

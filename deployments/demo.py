"""`make run`: a real grocer's year as a loyalty programme, closed month by month, the last of them through Prefect.

The year 2017 of Complete Journey is loaded, its months up to November are closed with all reviews approved, and
December is closed by a deployed run on the local stack, with its reviews left open. The programme's clock stands at
the morning of 2 January 2018. A second time finds all of it done, and changes nothing.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from deployments import stack
from deployments.stack import Stack
from loyalty.db.engine import transaction
from loyalty.db.statements import run
from loyalty.demo.complete_journey import ZONE
from loyalty.demo.load import load
from loyalty.errors import ConfigurationError, LoyaltyError, Unavailable
from loyalty.reports import health_numbers, html, roi_numbers
from loyalty.reports.formats import money, whole
from loyalty.rules.periods import display_period
from loyalty.settings import settings

ENVIRONMENT = {"LOYALTY_TIME_ZONE": ZONE, "LOYALTY_CLOCK": "2018-01-02T10:00:00-05:00"}
FIRST, LAST_BEFORE, MONTH = date(2017, 1, 1), date(2017, 11, 1), date(2017, 12, 1)
APPROVER = "demo"
RUN_SECONDS = 300
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass
class Stages:
    """What was done so far, and how long each part of it took."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """A part of the whole; what it says stands behind its name."""
        said: list[str] = []
        started = time.monotonic()
        with self.console.status(f"{name} …"):
            yield said.append
        self.seconds[name] = time.monotonic() - started
        self.console.print(f"[green]✓[/] {name}: {'; '.join(said)} [dim]({self.seconds[name]:.1f} s)[/]", highlight=False)


def main() -> int:
    """Do it all; the exit code."""
    os.environ.update(ENVIRONMENT)
    console = Console()
    try:
        _run(Stages(console))
    except (LoyaltyError, ConfigurationError) as error:
        Console(stderr=True).print(f"loyalty: {error}", style="red", highlight=False, soft_wrap=True)
        return error.exit_code
    except httpx.HTTPError as error:
        print(f"loyalty: Prefect's server does not answer as it should ({error}): try make run again", file=sys.stderr)
        return 1
    return 0


def _run(stages: Stages) -> None:
    said: list[str] = []
    with ThreadPoolExecutor(1) as beside:
        starting: Future[Stack] = beside.submit(stack.up, said.append)
        with stages.stage("Complete Journey loaded") as say:
            loaded = load()
            say(
                f"{whole(loaded.transactions.read)} baskets of {whole(loaded.members.read)} households"
                + (", which were there already" if loaded.was_there else "")
            )
        with stages.stage("Prefect server and worker up") as say:
            up = starting.result()
            say("; ".join([*said, up.ui]))
    with stages.stage(f"{display_period(FIRST)} to {display_period(LAST_BEFORE)} closed") as say:
        if _closed(LAST_BEFORE):
            say("they were closed already")
        else:
            _deployed(up, "backfill", first="2017-01", last="2017-11", reviews="approve", decided_by=APPROVER)
            say(f"no messages, reviews approved by {APPROVER}")
    with stages.stage(f"{display_period(MONTH)} closed") as say:
        if _closed(MONTH):
            say("it was closed already")
        else:
            say(_deployed(up, "monthly_loyalty", period=display_period(MONTH)))
    with stages.stage("Messages delivered") as say:
        say(_deployed(up, "daily_notifications"))
    _summary(stages, up)


def _closed(period: date) -> bool:
    with transaction() as connection:
        return bool(run(connection, "closing/find_period", period=period).one().state == "closed")


def _deployed(up: Stack, name: str, **parameters: Any) -> str:
    """Let the worker run a deployment; the message of its last state. Raises Unavailable if it did not complete."""
    with httpx.Client(base_url=up.api, timeout=30) as api:
        deployment = api.get(f"/deployments/name/{name}/{name}").raise_for_status().json()["id"]
        answer = api.post(f"/deployments/{deployment}/create_flow_run", json={"parameters": parameters})
        number = answer.raise_for_status().json()["id"]
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            state = api.get(f"/flow_runs/{number}").raise_for_status().json()["state"]
            if state["type"] in _ENDED:
                break
            time.sleep(0.25)
    if state["type"] != "COMPLETED":
        raise Unavailable(f"{name} is {state['name']}: {state['message'] or ''} (see {up.ui}/runs/flow-run/{number})")
    return str(state["message"])


def _summary(stages: Stages, up: Stack) -> None:
    """What happened in the month, where its reports are, where to look on, and how to stop."""
    with transaction() as connection:
        health = health_numbers.numbers(connection, MONTH)
        roi = roi_numbers.numbers(connection, MONTH)
    report = settings().home_folder / "reports" / f"loyalty-{display_period(MONTH)}.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(html.html_report(health, roi), encoding="utf-8")
    console = stages.console
    console.print()
    console.print(_figures(health))
    console.print()
    console.print(_places(up, report))
    console.print(f"\nThe whole took {sum(stages.seconds.values()):.0f} s. The stack goes on; stop it with: make down")


def _figures(health: health_numbers.Health) -> Table:
    points, moves, currency = health["points"], health["moves"], health["programme"]["currency"]
    vouchers = sum(each["vouchers"] for each in health["vouchers"])
    amount = sum(each["amount"] for each in health["vouchers"])
    messages = {
        state: sum(states.get(state, 0) for states in health["messages"].values()) for state in ("sent", "withheld", "queued")
    }
    table = Table(title=f"December {MONTH.year} of {health['programme']['name']}", title_justify="left", show_header=False)
    up_to = ", ".join(f"{whole(count)} to {tier}" for tier, count in moves["up_to"].items())
    table.add_row("Points earned", whole(points["earned"]), f"{whole(health['members']['active'])} members bought something")
    table.add_row("Points outstanding", whole(points["outstanding"]), f"worth {money(points['value'], currency)}")
    table.add_row("Moved up", whole(moves["up"]), up_to)
    table.add_row("Moved down", whole(moves["down"]), "")
    table.add_row("Reviews waiting", whole(moves["waiting_in_all"]), "loyalty reviews list")
    table.add_row("Vouchers", whole(vouchers), money(amount, currency))
    table.add_row("Messages sent", whole(messages["sent"]), f"{whole(messages['withheld'])} withheld for want of consent")
    for column in table.columns[1:2]:
        column.justify = "right"
    return table


def _places(up: Stack, report: Path) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("Reports", str(report), style="bold")
    for what, key in (
        ("Health report", f"loyalty-health-{display_period(MONTH)}"),
        ("ROI report", f"loyalty-roi-{display_period(MONTH)}"),
        ("Reviews", f"reviews-{display_period(MONTH)}"),
    ):
        table.add_row(f"  {what} in the UI", f"{up.ui}/v2/artifacts/key/{key}")
    table.add_row("Messages", str(settings().home_folder / "outbox"))
    table.add_row("Prefect", up.ui)
    run_page = _page_of_run(up)
    if run_page:
        table.add_row("  The run of December", run_page)
    return table


def _page_of_run(up: Stack) -> str | None:
    """The UI's page of the run that closed the month, if this server's records have it."""
    wanted = {"flow_runs": {"name": {"any_": [display_period(MONTH)]}}, "sort": "START_TIME_ASC", "limit": 1}
    found = httpx.post(f"{up.api}/flow_runs/filter", json=wanted, timeout=30).raise_for_status().json()
    return f"{up.ui}/runs/flow-run/{found[0]['id']}" if found else None


if __name__ == "__main__":
    sys.exit(main())

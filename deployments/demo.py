"""`make run`: a real grocer's year as a loyalty programme, closed month by month, the last of them through Prefect.

The year 2017 of Complete Journey is loaded, its months up to November are closed with all reviews approved, and
December is closed by a deployed run on the local stack. The upgrades that a manager must decide are left to approval
runs, which wait suspended in the UI. The programme's clock stands at the morning of 2 January 2018. A second time finds
all of it done, and changes nothing.
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

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deployments import stack
from deployments.record import Stack
from flows import approval_runs
from loyalty.commands.failures import guarded
from loyalty.db.approval_runs import waiting
from loyalty.db.engine import transaction
from loyalty.db.statements import run
from loyalty.demo.complete_journey import ZONE
from loyalty.demo.load import claim, load
from loyalty.errors import Unavailable
from loyalty.monthly import Terms, close_month
from loyalty.reports import health as health_pages
from loyalty.reports import health_numbers, html, reviews, roi_numbers
from loyalty.reports import roi as roi_pages
from loyalty.reports.formats import money, whole
from loyalty.reports.health_numbers import Health
from loyalty.reports.stored import artifact_key
from loyalty.rules.periods import display_period, months_between
from loyalty.settings import settings

ENVIRONMENT = {"LOYALTY_TIME_ZONE": ZONE, "LOYALTY_CLOCK": "2018-01-02T10:00:00-05:00"}
FIRST, LAST_BEFORE, MONTH = date(2017, 1, 1), date(2017, 11, 1), date(2017, 12, 1)
APPROVER = "demo"
BACKFILL = Terms(notify=False, reviews="approve", decided_by=APPROVER)
RUN_SECONDS, ASK_SECONDS = 300, 90
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_SUSPENDED = "PAUSED"


@dataclass
class Stages:
    """The parts of the whole, told as they end, with how long each took."""

    console: Console
    began: float = field(default_factory=time.monotonic)

    def whole(self) -> float:
        """Seconds since the first stage began."""
        return time.monotonic() - self.began

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """A part of the whole; what it says stands behind its name."""
        said: list[str] = []
        started = time.monotonic()
        with self.console.status(f"{name} …"):
            yield said.append
        took = time.monotonic() - started
        told = f"[green]✓[/] {name}: {escape('; '.join(said))} [dim]({took:.1f} s)[/]"
        self.console.print(told, highlight=False, soft_wrap=True)


def main() -> int:
    """Do it all; the exit code."""
    os.environ.update(ENVIRONMENT)
    _run(Stages(Console()))
    return 0


def _run(stages: Stages) -> None:
    said: list[str] = []
    with stages.stage("Database ready") as say:
        claim()  # before anything is started with the demo's clock
        say(_where())
    with ThreadPoolExecutor(1) as beside:
        starting: Future[Stack] = beside.submit(stack.up, said.append)  # beside what needs no Prefect
        with stages.stage("Complete Journey loaded") as say:
            loaded = load()
            known = ", all there already" if loaded.was_there else ""
            say(f"{whole(loaded.transactions.read)} baskets of {whole(loaded.members.read)} households{known}")
        with stages.stage(f"{display_period(FIRST)} to {display_period(LAST_BEFORE)} closed") as say:
            outcomes = [close_month(period, BACKFILL) for period in months_between(FIRST, LAST_BEFORE)]
            say(f"reviews approved by {APPROVER}, no messages" if "closed" in outcomes else "unchanged")
        with stages.stage("Prefect server, worker, deployments and API up") as say:
            up = starting.result()
            say("; ".join([*said, up.ui, up.http]))
    with stages.stage(f"{display_period(MONTH)} closed by a deployed run") as say:
        say("unchanged" if _closed(MONTH) else deployed(up, "monthly_loyalty", period=display_period(MONTH)))
    with stages.stage("Managers asked") as say:
        approvals = asked(up)
        runs = f"{len(approvals)} approval run{'s' * (len(approvals) != 1)}"
        say(f"{runs} suspended until a manager decides" if approvals else "nothing waits for them")
    with stages.stage("Reports written") as say:
        health, files = _written()
        say(" and ".join(file.name for file in files.values()))
    stages.console.print()
    stages.console.print(_figures(health))
    stages.console.print()
    for line in (*_places(up, files, approvals), "", *_hints(), "", f"All of it took {stages.whole():.0f} s."):
        stages.console.print(line, highlight=False, markup=False, soft_wrap=True)


def _where() -> str:
    return "the one that LOYALTY_DATABASE_URL names" if settings().database_url else str(settings().home_folder)


def _closed(period: date) -> bool:
    with transaction() as connection:
        return bool(run(connection, "closing/find_period", period=period).one().state == "closed")


def deployed(up: Stack, name: str, **parameters: Any) -> str:
    """Let the worker run a deployment; the message of its last state. Raises Unavailable if it did not complete."""
    deployment = stack.ask(up, f"deployments/name/{name}/{name}", "GET")["id"]
    number = stack.ask(up, f"deployments/{deployment}/create_flow_run", parameters=parameters)["id"]
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        state = stack.ask(up, f"flow_runs/{number}", "GET")["state"]
        if state["type"] in _ENDED or time.monotonic() > deadline:
            break
        time.sleep(0.25)
    if state["type"] != "COMPLETED":
        raise Unavailable(f"{name} is {state['name']}: {state['message'] or ''} (see {up.ui}/runs/flow-run/{number})")
    return str(state["message"])


def asked(up: Stack) -> list[tuple[str, str]]:
    """The runs that wait for managers' decisions, once they do wait: name and id of each.

    Raises Unavailable if they don't come to it in time.
    """
    approval_runs.ask_for_all(up.api)  # only what no run asks for: one may have been lost since the last time
    deadline = time.monotonic() + ASK_SECONDS
    while True:
        open_ones = waiting()
        numbers = [each.flow_run_id for each in open_ones if each.flow_run_id]
        found = (
            stack.ask(up, "flow_runs/filter", flow_runs={"id": {"any_": numbers}}, sort="NAME_ASC") if numbers else []
        )
        suspended = [(each["name"], each["id"]) for each in found if each["state"]["type"] == _SUSPENDED]
        if len(suspended) == len(open_ones):
            return suspended
        if time.monotonic() > deadline:
            raise Unavailable("not every approval has a run that waits: `loyalty doctor` says which, and what to do")
        time.sleep(0.25)


def _written() -> tuple[Health, dict[str, Path]]:
    """The month's numbers as they are now, and the files that show them: what is in each, and where."""
    with transaction() as connection:
        health = health_numbers.numbers(connection, MONTH)
        roi = roi_numbers.numbers(connection, MONTH)
    folder = settings().home_folder / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for what, kind, page in (
        ("Health report", "health", health_pages.page(health)),
        ("ROI report", "roi", roi_pages.page(roi)),
    ):
        files[what] = folder / f"{kind}-{display_period(MONTH)}.html"
        files[what].write_text(html.html_pages(page), encoding="utf-8")
    return health, files


def _figures(health: Health) -> Table:
    points, moves, currency = health["points"], health["moves"], health["programme"]["currency"]
    sent, withheld = (
        sum(states.get(state, 0) for states in health["messages"].values()) for state in ("sent", "withheld")
    )
    rows = (
        ("Points earned", points["earned"], f"by {whole(health['members']['active'])} active members"),
        ("Points outstanding", points["outstanding"], f"worth {money(points['value'], currency)}"),
        ("Members moved up", moves["up"], ", ".join(f"{whole(n)} to {tier}" for tier, n in moves["up_to"].items())),
        ("Members moved down", moves["down"], ""),
        ("Reviews waiting", health["approvals"]["waiting_in_all"], "for a manager to decide"),
        ("Vouchers issued", *_vouchers(health, currency)),
        ("Messages sent", sent, f"{whole(withheld)} withheld, each with its reason"),
    )
    table = Table(title=f"December {MONTH.year}", title_justify="left", show_header=False, title_style="bold")
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column(style="dim")
    for name, count, note in rows:
        table.add_row(name, whole(count), note)
    return table


def _vouchers(health: Health, currency: str) -> tuple[int, str]:
    amount = sum(each["amount"] for each in health["vouchers"])
    return sum(each["vouchers"] for each in health["vouchers"]), f"of {money(amount, currency)}"


def _places(up: Stack, files: dict[str, Path], approvals: list[tuple[str, str]]) -> Iterator[str]:
    """Where to look on: files, and pages of Prefect's UI."""
    for what, file in files.items():
        yield f"{what:<16} {file}"
    for what, key in (
        ("Health in the UI", artifact_key("health", MONTH)),
        ("ROI in the UI", artifact_key("roi", MONTH)),
        ("Reviews waiting", reviews.artifact_key(MONTH)),
    ):
        found = stack.ask(up, "artifacts/filter", artifacts={"key": {"any_": [key]}}, sort="CREATED_DESC", limit=1)
        for artifact in found:
            yield f"{what:<16} {up.ui}/v2/artifacts/artifact/{artifact['id']}"
    wanted = {"name": {"any_": [display_period(MONTH)]}, "deployment_id": {"is_null_": False}}
    for each in stack.ask(up, "flow_runs/filter", flow_runs=wanted, sort="START_TIME_ASC", limit=1):
        yield f"Run of December  {up.ui}/v2/runs/flow-run/{each['id']}"
    for name, number in approvals:
        yield f"To be decided    {up.ui}/v2/runs/flow-run/{number}  ({name})"
    yield f"Messages         {settings().home_folder / 'outbox'}"
    yield f"Prefect          {up.ui}"
    yield f"API              {up.http}/openapi.json"


def _hints() -> Iterator[str]:
    """What to do next: commands, and what each is for."""
    command = Path(sys.executable).with_name("loyalty")
    shown = command.relative_to(Path.cwd()) if command.is_relative_to(Path.cwd()) else command
    for what, why in (
        (f"export LOYALTY_CLOCK={ENVIRONMENT['LOYALTY_CLOCK']}", "in the demo it is 2 January 2018"),
        (f"{shown} reviews list", "the upgrades that wait, decided there or in the UI"),
        (f"{shown} member 1 --why", "every point of a member, traced to its cause"),
        (f"{shown} doctor", "every part looked at"),
        ("make down", "stop the servers, the worker and the database"),
    ):
        yield f"{what:<48} {why}"


if __name__ == "__main__":
    sys.exit(guarded(main))

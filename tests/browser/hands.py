"""Who uses Prefect: a person at a browser, or a program at the API where there is no browser. They do the same."""

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from deployments import prefect_ui, stack
from deployments.prefect_ui import PrefectUi, TooLate, Typed
from deployments.record import Stack

PATIENCE_S = 120
_DRAWING = re.compile(r"!\[[^\]]*\]\(data:image/svg\+xml;base64,([^)]+)\)")
_WIDTH = re.compile(r"<svg[^>]* width=\"([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Report:
    """What is seen of a report: headings, numbers of tables and charts, and how many of these are drawn."""

    headings: list[str]
    tables: int
    charts: int
    drawn: int


class Hands(Protocol):
    """What ops and managers do."""

    def begin(self, deployment: str, typed: Typed) -> str:
        """Start a run by its form; the run's id."""

    def await_state(self, run: str, state: str) -> None:
        """Watch a run until it is in a state."""

    def read(self, key: str) -> Report:
        """Open the newest version of an artifact."""

    def decide(self, review: str, typed: Typed) -> None:
        """Resume the run of that name, which waits for a manager, by its form."""


class Browser:
    """A person, who sees the screen."""

    def __init__(self, up: Stack, ui: PrefectUi) -> None:
        self.up, self.ui, self.begin = up, ui, ui.begin

    def await_state(self, run: str, state: str) -> None:
        """Watch its page."""
        try:
            self.ui.await_state(run, state)
        except TooLate as late:
            raise AssertionError(stack.ask(self.up, f"flow_runs/{run}", "GET")["state"]) from late

    def read(self, key: str) -> Report:
        """As they see it."""
        page = self.ui.page
        self.ui.open(f"/v2/artifacts/artifact/{_newest(self.up, key)['id']}")
        page.locator(".prose h1").wait_for()
        widths = page.locator(".prose img").evaluate_all("images => images.map(each => each.naturalWidth)")
        headings = page.locator(".prose").locator("h1, h2").all_inner_texts()
        return Report(headings, page.locator(".prose table").count(), len(widths), sum(width > 0 for width in widths))

    def decide(self, review: str, typed: Typed) -> None:
        """By Resume in the run's menu."""
        self.ui.review(review)
        form = self.ui.resume(typed)
        form.get_by_role("button", name="Resume", exact=True).click()
        form.wait_for(state="detached")


class Program:
    """A program, which knows Prefect's API."""

    def __init__(self, up: Stack) -> None:
        self.up = up

    def begin(self, deployment: str, typed: Typed) -> str:
        """As the form does."""
        number = stack.ask(self.up, f"deployments/name/{deployment}/{deployment}", "GET")["id"]
        made = stack.ask(self.up, f"deployments/{number}/create_flow_run", parameters=_parameters(typed))
        return str(made["id"])

    def await_state(self, run: str, state: str) -> None:
        """Ask until it is so."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := stack.ask(self.up, f"flow_runs/{run}", "GET")["state"])["name"] != state:
            assert time.monotonic() < deadline, found
            time.sleep(0.2)

    def read(self, key: str) -> Report:
        """As it is stored."""
        text = str(_newest(self.up, key)["data"])
        drawings = [base64.b64decode(each).decode() for each in _DRAWING.findall(text)]
        widths = [float(found[1]) for drawing in drawings if (found := _WIDTH.search(drawing))]
        headings = [line.lstrip("#").strip() for line in text.splitlines() if line.startswith("#")]
        tables = len(re.findall(r"^\|[ :|-]+\|$", text, re.MULTILINE))
        return Report(headings, tables, len(drawings), sum(width > 0 for width in widths))

    def decide(self, review: str, typed: Typed) -> None:
        """As the form does."""
        found = stack.ask(self.up, "flow_runs/filter", flow_runs={"name": {"any_": [review]}})
        told = stack.ask(self.up, f"flow_runs/{found[0]['id']}/resume", run_input=_parameters(typed))
        assert told["status"] == "ACCEPT", json.dumps(told)


Kind = type[Browser] | type[Program]
HANDS: list[Kind] = [Browser] if prefect_ui.chromium() else [Program]
"""Whoever can be had here."""


@contextmanager
def lent(kind: Kind, up: Stack) -> Iterator[Hands]:
    """Such hands at a stack."""
    if kind is Program:
        yield Program(up)
        return
    with prefect_ui.opened(up.ui) as ui:
        yield Browser(up, ui)


def _newest(up: Stack, key: str) -> Any:
    wanted = {"key": {"any_": [key]}}
    return stack.ask(up, "artifacts/filter", artifacts=wanted, sort="CREATED_DESC", limit=1)[0]


def _parameters(typed: Typed) -> dict[str, Any]:
    """What a form sends for what is typed under its heads."""
    return {
        head.lower().replace(" ", "_"): list(value) if isinstance(value, tuple) else value
        for head, value in typed.items()
    }

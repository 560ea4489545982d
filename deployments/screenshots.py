"""The pictures of docs/operations.md: `python -m deployments.screenshots`, after `make run` has made a fresh demo.

Prefect's UI is used as a person uses it. Nothing in the books changes: a run that must fail and a simulated month are
begun, and the form of a review is filled in, but not sent.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page

from deployments import record, stack
from deployments.prefect_ui import DEPLOYMENTS, HEIGHT, WAITING, WIDTH, PrefectUi, opened
from deployments.programme import ROOT
from loyalty.commands.failures import guarded
from loyalty.errors import Unavailable

FOLDER = ROOT / "docs" / "images"
LARGEST_BYTES = 200_000
SETTLING_MS = 5000  # for what moves: menus, charts, the timeline of a run
REVIEW, DOUBTFUL = "review 2017-12 Gold 1", "M1253"
NEXT_MONTH = "2018-01"  # has not ended in the demo, so it can't be closed

Picture = Callable[[PrefectUi], Locator | None]
"""Brings the screen to what a picture shows; gives the part of it that is shown, if not all."""


def main() -> int:
    """Take all pictures; the exit code."""
    up = record.read()
    if not (up.server and up.server.lives):
        raise Unavailable("the demo is not up: `make run`")
    FOLDER.mkdir(exist_ok=True)
    with opened(up.ui) as ui:
        for name, picture in PICTURES.items():
            ui.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
            part = picture(ui)
            ui.page.wait_for_timeout(SETTLING_MS)
            print(_taken(part or ui.page, FOLDER / f"{name}.png"))
    return 0


def _taken(shown: Page | Locator, file: Path) -> str:
    size = len(shown.screenshot(path=file))
    return f"{file.name}: {size:,} bytes{', TOO LARGE' if size > LARGEST_BYTES else ''}"


def _deployments(ui: PrefectUi) -> None:
    ui.page.set_viewport_size({"width": WIDTH, "height": HEIGHT * 3 // 2})  # all of them on one page
    ui.open(DEPLOYMENTS)
    ui.page.get_by_role("link", name="simulate_month", exact=True).first.wait_for()


def _schedule(ui: PrefectUi) -> None:
    ui.open(DEPLOYMENTS)
    ui.page.get_by_role("link", name="monthly_loyalty", exact=True).first.click()
    ui.page.get_by_role("switch").first.wait_for()


def _start(ui: PrefectUi) -> None:
    ui.form("monthly_loyalty")


def _failed(ui: PrefectUi) -> None:
    ui.await_state(ui.begin("monthly_loyalty", {"Period": NEXT_MONTH}), "Failed")
    ui.page.get_by_role("tab", name="Details").click()
    ui.page.get_by_text("State Message").wait_for()


def _month(ui: PrefectUi) -> None:
    ui.open(DEPLOYMENTS)
    ui.page.get_by_role("link", name="monthly_loyalty", exact=True).first.click()
    ui.page.get_by_role("link", name="2017-12", exact=True).first.click()
    ui.page.get_by_role("tab", name="Artifacts").click()
    ui.page.get_by_text("loyalty-health-2017-12").first.wait_for()


def _artifact(key: str) -> Picture:
    def show(ui: PrefectUi) -> None:
        found = stack.ask(
            record.read(), "artifacts/filter", artifacts={"key": {"any_": [key]}}, sort="CREATED_DESC", limit=1
        )
        ui.open(f"/v2/artifacts/artifact/{found[0]['id']}")
        ui.page.get_by_role("heading", level=1).first.wait_for()

    return show


def _waiting(ui: PrefectUi) -> None:
    ui.open(WAITING)
    ui.page.get_by_role("link", name=REVIEW, exact=True).wait_for()


def _menu(ui: PrefectUi) -> None:
    ui.page.set_viewport_size({"width": WIDTH, "height": HEIGHT // 2})
    ui.review(REVIEW)


def _form(ui: PrefectUi) -> Locator:
    ui.page.set_viewport_size({"width": WIDTH, "height": HEIGHT + HEIGHT // 3})
    ui.review(REVIEW)
    return ui.resume(
        {"Decision": "approve", "Leave out": (DOUBTFUL,), "Note": "most of it in one purchase", "Reviewer": "anna"}
    )


def _rules(ui: PrefectUi) -> None:
    ui.form("change_rules")


def _simulation(ui: PrefectUi) -> None:
    ui.await_state(ui.begin("simulate_month", {"Period": "2017-12", "Rate": "0.12"}), "Completed")
    _artifact("simulation-2017-12")(ui)


PICTURES: dict[str, Picture] = {
    "deployments": _deployments,
    "schedule": _schedule,
    "start": _start,
    "month": _month,
    "health": _artifact("loyalty-health-2017-12"),
    "waiting": _waiting,
    "review": _artifact("approval-1"),
    "menu": _menu,
    "form": _form,
    "rules": _rules,
    "simulation": _simulation,
    "failed": _failed,
}

if __name__ == "__main__":
    sys.exit(guarded(main))

"""Prefect's UI in a browser, used as a person uses it: by what stands on the screen.

It takes a Chromium of the system, and the package `playwright`, which comes with the development extra.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, Route, sync_playwright
from playwright.sync_api import TimeoutError as TooLate

from loyalty.errors import Unavailable

WIDTH, HEIGHT = 1180, 860
PATIENCE_MS, LOOK_MS = 120_000, 15_000
DEPLOYMENTS = "/v2/deployments?limit=100"  # all on one page
WAITING = "/v2/runs?state=Suspended&tags=approval&range=past-30-days"
"""Where all that waits for a manager stands. The default list would hide what waits longer than a week."""
_NAMES = ("chromium", "chromium-browser", "google-chrome")

Value = str | bool | tuple[str, ...]
Typed = Mapping[str, Value]
"""What is typed into a form: under the head of each field a text, a choice, a switch's position, or several choices."""


def chromium() -> str | None:
    """The path of the system's Chromium, if it has one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def opened(address: str) -> Iterator["PrefectUi"]:
    """A browser of its own, which reaches the server at `address` and nothing else.

    Raises Unavailable where there is no Chromium.
    """
    binary = chromium()
    if binary is None:
        raise Unavailable(f"there is no Chromium here ({', '.join(_NAMES)})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(PATIENCE_MS)
        page.route("**/*", lambda route: _nowhere_else(route, urlsplit(address).netloc))
        try:
            yield PrefectUi(page, address)
        finally:
            browser.close()


@dataclass(frozen=True, slots=True)
class PrefectUi:
    """A page in the browser, and the address of Prefect's server."""

    page: Page
    address: str

    def open(self, path: str) -> None:
        """Go to a page of the UI."""
        self.page.goto(self.address + path)

    def begin(self, deployment: str, typed: Typed) -> str:
        """Start a run of a deployment by its form; the run's id. The run's page is shown."""
        self.form(deployment)
        fill(self.page.locator("main, body").first, typed)
        self.page.get_by_role("button", name="Submit").click()
        self.page.get_by_role("button", name="View run").click()
        self.page.wait_for_url("**/runs/flow-run/*")
        return urlsplit(self.page.url).path.rpartition("/")[2]

    def form(self, deployment: str) -> None:
        """Come to the form of a deployment, from the list of them."""
        self.open(DEPLOYMENTS)
        self.page.get_by_role("link", name=deployment, exact=True).first.click()
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Custom run").click()
        self.page.get_by_role("button", name="Submit").wait_for()

    def await_state(self, run: str, state: str) -> None:
        """Watch a run's page until it shows a state. Raises Playwright's TimeoutError if it does not come to it."""
        for looks_left in reversed(range(PATIENCE_MS // LOOK_MS)):
            self.open(f"/v2/runs/flow-run/{run}")  # anew: once it has shown an end, as Crashed, it stands still
            try:
                self.page.get_by_text(state, exact=True).first.wait_for(timeout=LOOK_MS)
            except TooLate:
                if not looks_left:
                    raise
            else:
                return

    def review(self, name: str) -> None:
        """Come to the run of that name from the list of all that waits for a manager, and open its menu."""
        self.open(WAITING)
        self.page.get_by_role("link", name=name, exact=True).click()
        self.page.get_by_role("button", name="Open menu").first.click()
        self.page.get_by_role("menuitem", name="Resume").wait_for()

    def resume(self, typed: Typed) -> Locator:
        """Choose Resume in the menu that is open, and fill in the form; the form, not yet sent."""
        self.page.get_by_role("menuitem", name="Resume").click()
        dialog = self.page.get_by_role("dialog").filter(has_text="Resume Flow Run")
        dialog.locator("label").first.wait_for()
        fill(dialog, typed)
        return dialog


def fill(form: Locator, typed: Typed) -> None:
    """Fill in the fields of a form, each found by its head."""
    for head, value in typed.items():
        label = form.locator("label").filter(has_text=re.compile(rf"^{re.escape(head)}( \(Optional\))?$"))
        _fill(label.locator("xpath=ancestor::div[contains(concat(' ', @class, ' '), ' group ')][1]"), value)


def _fill(field: Locator, value: Value) -> None:
    field.wait_for()
    choices = field.locator("button[aria-haspopup=listbox]")
    if isinstance(value, bool):
        field.get_by_role("switch").set_checked(value)
    elif isinstance(value, tuple):
        choices.click()
        for choice in value:
            field.page.get_by_role("option", name=choice).click()
        field.page.keyboard.press("Escape")
    elif choices.count():
        choices.click()
        field.page.get_by_role("option", name=value).click()  # one choice closes its list by itself
    else:
        given = field.get_by_role("tab", name="str")
        if given.count():
            given.click()  # a field that may be left empty begins as None
        field.get_by_role("textbox").fill(value)


def _nowhere_else(route: Route, netloc: str) -> None:
    """Let the browser reach the server; the UI itself looks for others."""
    if urlsplit(route.request.url).netloc == netloc or route.request.url.startswith(("data:", "blob:")):
        route.continue_()
    else:
        route.abort()

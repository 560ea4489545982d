"""`loyalty messages`: what messages there are, and how each looks."""

import sys
import webbrowser
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loyalty.commands.terminal import output, say, say_json, table
from loyalty.errors import BadInput, LoyaltyError, WrongUse
from loyalty.messages import wording
from loyalty.messages.facts import KINDS
from loyalty.messages.gsm7 import fits_alphabet, segments
from loyalty.messages.preview import STAFF, Preview, darkened, preview, staff_preview
from loyalty.messages.rendering import has_template
from loyalty.settings import settings

_HEADERS = ("kind", "to", "channels", "languages", "about")


def show_kinds(given: Namespace) -> int:
    """List every kind of message: to whom, by what, in which languages, about what."""
    rows: list[dict[str, Any]] = [_row(kind) for kind in KINDS] + [
        {"kind": kind, "to": to, "channels": ["email"], "languages": _spoken(kind, ["staff"]), "about": about}
        for kind, (to, about) in STAFF.items()
    ]
    if given.json:
        say_json(rows)
    else:
        say(*table(_HEADERS, [[_cell(row[name]) for name in _HEADERS] for row in rows]))
    return 0


def check(_given: Namespace) -> int:
    """Render every template with sample data; each that can't be rendered is a line, and the exit code then 1."""
    mistakes, count = [], 0
    for kind, language, channel in sorted(wording.written(wording.folders())):
        if kind not in (STAFF if channel == "staff" else KINDS):
            mistakes.append(f"{kind}.{language}.{channel}.j2: there is no kind of message {kind}")
            continue
        count += 1
        try:
            staff_preview(kind, language) if channel == "staff" else preview(kind, language, channel)
        except LoyaltyError as error:
            mistakes.append(str(error))
    if mistakes:
        raise BadInput(dict.fromkeys(mistakes))
    say(f"{count} templates are in order")
    return 0


def show(given: Namespace) -> int:
    """Write one message with sample data to a file, and open it; a text message is printed."""
    if given.kind in STAFF:
        if given.channel == "sms":
            raise WrongUse(f"{given.kind} goes to staff by e-mail only")
        shown = staff_preview(given.kind, given.language)
    else:
        shown = preview(given.kind, given.language, given.channel)
    if shown.language != given.language:
        who = "staff" if given.kind in STAFF else "members"
        say(f"there is no {given.kind} in {given.language}: {who} get it in {shown.language}")
    if not shown.html and given.out is None:
        alphabet = "GSM-7" if fits_alphabet(shown.text) else "UCS-2"
        count = segments(shown.text)
        takes = f"{count} segment{'s' if count > 1 else ''}"
        say(shown.text, f"({len(shown.text)} characters of {alphabet}, {takes})")
        return 0
    path = given.out or str(_place(given.kind, shown.language))
    with output(path) as file:
        file.write(_content(shown, path, dark=given.dark).encode())
    say(f"Subject: {shown.subject}" if shown.html else shown.text, path)
    if given.out is None and sys.stdout.isatty():
        webbrowser.open(Path(path).as_uri())
    return 0


def _cell(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _row(kind: str) -> dict[str, Any]:
    about = (KINDS[kind].__doc__ or "").strip().partition("\n")[0].partition(";")[0].replace("`", "").rstrip(".") + "."
    channels = [each for each in ("email", "sms") if any(has_template(kind, tag, each) for tag in wording.languages())]
    spoken = _spoken(kind, channels)
    to = "members who agreed to offers" if KINDS[kind].marketing else "members"
    return {"kind": kind, "to": to, "channels": channels, "languages": spoken, "about": about}


def _spoken(kind: str, channels: Sequence[str]) -> list[str]:
    return sorted({tag for tag in wording.languages() if any(has_template(kind, tag, each) for each in channels)})


def _place(kind: str, language: str) -> Path:
    folder = settings().home_folder / "previews"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{kind}.{language}.html"


def _content(shown: Preview, path: str, *, dark: bool) -> str:
    """HTML, or for a file named .txt the plain text."""
    if not shown.html or path.endswith(".txt"):
        return shown.text
    return darkened(shown.html) if dark else shown.html

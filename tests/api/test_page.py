"""The integrator's page, tried as it is written."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from loyalty.db.api_keys import SCOPES
from tests.api.conftest import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def test_five_minutes_with_curl_are_as_written(empty_database: URL, tmp_path: Path) -> None:
    """Law: who types what the page says, from nothing, gets the answers that it shows, but for the time of day."""
    section = PAGE.partition("## Five minutes with curl\n")[2].partition("\n## ")[0]
    typed = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    shown = "".join(re.findall(r"```json\n(.*?)```", section, re.DOTALL))
    answers = _typed(typed, tmp_path)
    assert answers[: len(_told(shown))] == _told(shown)
    member, entries = answers[len(_told(shown)) :]
    assert (member["customer_id"], member["balance"]) == ("C1", 60)
    assert [(entry["entry_id"], entry["kind"], entry["points"]) for entry in entries["entries"]] == [
        (1, "earn", 120),
        (2, "earn", -20),
    ]
    assert entries["next_cursor"] == "2"


def test_the_page_names_every_scope() -> None:
    """Law: a key's scopes are all on the page."""
    assert [scope for scope in SCOPES if f"`{scope}`" not in PAGE] == []


def _told(lines: str) -> list[dict[str, Any]]:
    """Answers, a line each, without the time of day."""
    return [json.loads(_INSTANT.sub("then", line)) for line in lines.splitlines() if line.startswith("{")]


def _typed(blocks: list[str], folder: Path) -> list[dict[str, Any]]:
    """What a shell answers to the blocks, once the server that the first one starts is up."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    command = folder / "loyalty"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m loyalty "$@"\n')
    command.chmod(0o755)
    first, *others = (block.replace(":8000", f":{port}") for block in blocks)
    script = [
        "set -e; trap 'kill $(jobs -p)' EXIT; curl() { command curl -sS \"$@\"; echo; }",
        first,
        f"until command curl -so answer http://127.0.0.1:{port}/healthz; do sleep 0.1; done",
        *others,
    ]
    environment = {name: value for name, value in os.environ.items() if name != "LOYALTY_CLOCK"} | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "LOYALTY_HOME": str(folder / "home"),
        "LOYALTY_API_PORT": port,
    }
    done = subprocess.run(
        [shutil.which("bash") or "sh", "-c", "\n".join(script)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return _told(done.stdout)

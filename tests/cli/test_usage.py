"""What can be typed, and what is said of what can't."""

import subprocess
import sys
from pathlib import Path

import pytest

from loyalty import cli

COMMANDS = (
    "migrate rules import close backfill expire notify reviews member export report verify messages demo stop"
    " settings".split()
)
WRONG = {
    "": "the following arguments are required: COMMAND (see `loyalty --help`)",
    "clsoe": '"clsoe" is not known here: did you mean close? (see `loyalty --help`)',
    "close": "the following arguments are required: YYYY-MM (see `loyalty close --help`)",
    "close 2026-13": (
        'a period is a month written as YYYY-MM, such as 2026-01, in the years 1900 to 2199, not "2026-13"'
    ),
    "close 2026-01 --rules x.toml": "--rules are candidate rules: they can only be simulated, with --simulate",
    "backfill 2026-01 2026-02 --reviews approve": ("reviews are approved in somebody's name: say whose with --by NAME"),
    "import things x.csv": (
        '"things" is not known here: choose from members, transactions, rates (see `loyalty import --help`)'
    ),
    "reviews approve": "say which reviews to approve: `loyalty reviews list` shows their numbers",
    "reviews approve 1": "a review is decided in somebody's name: say whose with --by NAME",
    "reviews reject 1 --by mia": "a review is rejected for a reason: give it with --note TEXT",
    "reviews approve one --by mia": 'a number such as 12 is wanted, not "one"',
    "reviews approve 1 --by mia@example.com": (
        "a name is a handle of 1 to 80 letters, such as anna, and no e-mail address"
    ),
    "expire --as-of 2026-02-30": (
        'an instant is an ISO 8601 date or time, such as 2026-11-01 or 2026-11-01T09:00Z, not "2026-02-30"'
    ),
    "stop now": "unrecognized arguments: now (see `loyalty --help`)",
    "rules apply x.toml": "the following arguments are required: --from (see `loyalty rules apply --help`)",
}


@pytest.mark.parametrize("typed", WRONG, ids=lambda typed: typed or "nothing")
def test_wrong_use_is_told_in_a_line(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Law: what makes no sense exits 2, prints one line on stderr that helps, and touches no database."""
    assert cli.run(typed.split()) == 2
    assert capsys.readouterr() == ("", f"loyalty: {WRONG[typed]}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Law: `loyalty COMMAND --help` says what it does, exit 0."""
    assert cli.run([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: loyalty {command} ")


def test_help_loads_nothing_heavy() -> None:
    """Law: `loyalty --help` waits for no database driver, no table library, no template engine and no Prefect."""
    heavy = "{'sqlalchemy', 'pydantic', 'pandas', 'jinja2', 'prefect', 'rich', 'psycopg2'}"
    code = f"import sys\nfrom loyalty.cli import run\nrun(['--help'])\nprint(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")


def test_the_module_is_the_command(tmp_path: Path) -> None:
    """Law: `python -m loyalty` works from any folder and leaves with the command's exit code."""
    command = [sys.executable, "-m", "loyalty", "clsoe"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"loyalty: {WRONG['clsoe']}\n")
    assert list(tmp_path.iterdir()) == []

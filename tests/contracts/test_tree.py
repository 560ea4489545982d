"""Contracts of the tree: where things are, how large they may be, and what no file may hold."""

import ast
import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"blocks", "deployments", "docs", "flows", "loyalty", "sql", "tasks", "tests"}
FUNCTION_LINES = 70
MODULE_LINES = 600
_LEFT_OVERS = re.compile(r"\b(TO[D]O|FIX[M]E)\b|pytest\.mark\.(sk[i]p|xf[a]il)")
_REGISTRIES = re.compile(
    r"--(?:extra-)?index-[u]rl|https?://[^ \"']*/sim[p]le/?[ \"']|https?://[^\"' ]*\.(?:w[h]l|tar\.g[z])"
)


def _files() -> list[Path]:
    """What git keeps, or would."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for name in set(told.split("\0")) - {""} if (path := ROOT / name).is_file())


FILES = _files()
MODULES = [path for path in FILES if path.suffix == ".py"]


def _label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_there_is_no_folder_but_the_designs() -> None:
    """Law: a new kind of thing goes into a folder that is there."""
    assert {path.relative_to(ROOT).parts[0] for path in FILES if path.parent != ROOT} - FOLDERS == {".ci"}


def test_every_task_is_one_step_and_every_step_a_task() -> None:
    """Law: tasks/NAME.py and sql/steps/NAME.sql are the two halves of one step."""
    tasks = {path.stem for path in (ROOT / "tasks").glob("[!_]*.py")}
    assert tasks == {path.stem for path in (ROOT / "sql" / "steps").glob("*.sql")}


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    """Law: a module is named for what it knows."""
    odd = {"utils", "util", "helpers", "common", "misc", "tools"}
    assert [_label(path) for path in MODULES if path.stem in odd] == []


@pytest.mark.parametrize("folder", ["flows", "tasks", "blocks"])
def test_no_module_shadows_a_library(folder: str) -> None:
    """Law: Prefect may put a flow's folder first on the path, so no stem there may be importable otherwise."""
    stems = [path.stem for path in (ROOT / folder).glob("[!_]*.py")]
    assert [stem for stem in stems if importlib.util.find_spec(stem) is not None] == []


@pytest.mark.parametrize("path", MODULES, ids=_label)
def test_functions_and_modules_are_short(path: Path) -> None:
    """Law: what can't be seen on one screen is two things."""
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= MODULE_LINES or path.is_relative_to(ROOT / "tests")
    assert {name: lines for name, lines in _functions(source) if lines > FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", [path for path in MODULES if path.name.startswith("test_")], ids=_label)
def test_every_test_states_its_law(path: Path) -> None:
    """Law: a test's docstring says what must hold."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert [test.name for test in tests if not ast.get_docstring(test)] == []


@pytest.mark.parametrize("path", FILES, ids=_label)
def test_no_file_holds_what_belongs_elsewhere(path: Path) -> None:
    """Law: no left-overs, no address of a package registry, no path of the machine it was written on."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return  # an image or an archive
    assert [found[0] for pattern in (_LEFT_OVERS, _REGISTRIES) for found in pattern.finditer(text)] == []
    assert f"{ROOT.parent}/" not in text or ROOT.parent == Path("/")


def _functions(source: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1

"""Contracts of imports: which way they go, and what can live in one process."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUICK = "loyalty, loyalty.db.engine, loyalty.db.migrations, loyalty.rules"


def test_imports_go_one_way() -> None:
    """Law: flows → tasks → blocks → loyalty, and inside it as pyproject.toml's contracts say."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prefects_server_and_fastapi_fit_each_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Law: the locked FastAPI is one that Prefect's own server starts with (newer ones broke it)."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    code = "import fastapi, prefect.server.api.server as s; print(type(s.create_app(ephemeral=True)).__name__)"
    assert _python(code) == "FastAPI\n"


def test_the_library_loads_without_prefect() -> None:
    """Law: commands that need no flow don't wait for Prefect to be imported."""
    assert _python(f"import sys, {QUICK}; print('prefect' in sys.modules)") == "False\n"


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout

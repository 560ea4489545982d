"""Where runs are told to."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows import prefect_api

NOBODY = "http://127.0.0.1:9/api"


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of something that answers as a Prefect server does."""
    with HTTPServer(("127.0.0.1", 0), _Healthy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Prefect home without profiles."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("PREFECT_PROFILE", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    return tmp_path


def _record(address: str) -> None:
    prefect_api.record().parent.mkdir(parents=True)
    prefect_api.record().write_text(f"{address}\n")


def _profile(home: Path, address: str) -> None:
    (home / "profiles.toml").write_text(f'active = "shop"\n[profiles.shop]\nPREFECT_API_URL = "{address}"\n')


def test_nothing_known_is_no_server() -> None:
    """Law: without any address there is none, and no profile is no mistake."""
    assert prefect_api.found() is None


def test_the_environment_goes_first(answering: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: PREFECT_API_URL before the stack's record before the profile."""
    monkeypatch.setenv("PREFECT_API_URL", answering)
    _record(NOBODY)
    _profile(home, NOBODY)

    assert prefect_api.found() == answering


def test_the_local_stack_goes_before_the_profile(answering: str, home: Path) -> None:
    """Law: the stack of this LOYALTY_HOME is meant, whatever server another project uses."""
    _record(answering)
    _profile(home, NOBODY)

    assert prefect_api.found() == answering


def test_the_active_profile_is_used(answering: str, home: Path) -> None:
    """Law: a person's own Prefect server is found by their profile."""
    _profile(home, answering)

    assert prefect_api.found() == answering


def test_a_server_that_does_not_answer_is_none(home: Path) -> None:
    """Law: an address is no server."""
    _profile(home, NOBODY)

    assert prefect_api.found() is None

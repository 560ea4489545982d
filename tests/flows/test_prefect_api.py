"""Where runs are told to."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows import prefect_api
from loyalty.errors import Unavailable

NOBODY = "http://127.0.0.1:9/api"
DATABASE_IS_BUSY = 503  # Prefect's answer while another writes to its SQLite
REFUSED = 422


class _Healthy(BaseHTTPRequestHandler):
    """Healthy, and as busy as its server was told to be: a POST is answered by the next of these, then by []."""

    first: list[int]

    def do_GET(self) -> None:
        self._answer(200)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(self.first.pop(0) if self.first else 200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of something that answers as a Prefect server does."""
    _Healthy.first = []
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


@pytest.mark.parametrize("busy", [DATABASE_IS_BUSY, 429])
def test_a_busy_server_is_asked_again(answering: str, monkeypatch: pytest.MonkeyPatch, busy: int) -> None:
    """Law: what the server did not do because it was busy is asked again, as Prefect's own client does."""
    monkeypatch.setattr(prefect_api, "PAUSES", (0.0, 0.0))
    _Healthy.first = [busy, busy]

    assert prefect_api.ask(answering, "flow_runs/filter", limit=1) == []
    assert _Healthy.first == []


@pytest.mark.parametrize(("answers", "left"), [([DATABASE_IS_BUSY] * 4, 1), ([REFUSED, 200], 1)])
def test_one_that_stays_busy_or_refuses_is_said(
    answering: str, monkeypatch: pytest.MonkeyPatch, answers: list[int], left: int
) -> None:
    """Law: after its tries, or at once where the server says no, the caller hears what the server said."""
    monkeypatch.setattr(prefect_api, "PAUSES", (0.0, 0.0))
    _Healthy.first = list(answers)

    with pytest.raises(Unavailable, match=f"does not answer as it should .*{answers[0]}"):
        prefect_api.ask(answering, "flow_runs/filter", limit=1)
    assert len(_Healthy.first) == left

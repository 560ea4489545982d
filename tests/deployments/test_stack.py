"""The local stack, whole: brought up, used, brought up again, taken down."""

import socket

import pytest
from sqlalchemy import URL

from deployments import demo, stack
from flows import prefect_api
from loyalty.commands.failures import guarded
from loyalty.db import embedded


def test_the_stack_runs_what_is_deployed_and_leaves_nothing_behind(shop: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: up finds a free port, up again changes nothing, a deployed run closes a month, down stops all."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    said: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        wanted = taken.getsockname()[1]
        monkeypatch.setenv(stack.PORT_SETTING, str(wanted))
        try:
            up = stack.up(said.append)
            again = stack.up(said.append)
            message = demo.deployed(up, "monthly_loyalty", period="2026-01")
            blocks = _slugs(up)
            found = prefect_api.found()
        finally:
            stack.down(said.append)

    assert again == up
    assert (up.port or 0) > wanted
    assert message == "2026-01 closed: 3 statements, 1 moves"
    assert {"loyalty-programme-database", "loyalty-message-files"} <= blocks
    assert found == up.api
    assert said == [
        f"port {wanted} is taken: Prefect's server is at {up.port} ({stack.PORT_SETTING} chooses another)",
        "Prefect worker stopped",
        "Prefect server stopped",
        "embedded database stopped",
    ]
    assert [process.lives for process in (up.server, up.worker) if process] == [False, False]
    assert (embedded.status().running, prefect_api.found()) == (False, None)


def test_down_without_up_is_no_mistake() -> None:
    """Law: what isn't there is not stopped, and nothing is said."""
    said: list[str] = []
    stack.down(said.append)

    assert said == []


@pytest.mark.parametrize("given", ["http", "80", "70000", "-1"])
def test_a_port_that_is_none_is_named(
    given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Law: a wrong setting is one line that names it, exit code 1."""
    monkeypatch.setenv(stack.PORT_SETTING, given)

    assert guarded(lambda: stack.main(["up"])) == 1
    assert (
        capsys.readouterr().err == f'loyalty: LOYALTY_PREFECT_PORT must be a port from 1024 to 65435, not "{given}"\n'
    )


def test_wrong_words_are_told_how(capsys: pytest.CaptureFixture[str]) -> None:
    """Law: a command line that means nothing shows the usage, exit code 2."""
    assert guarded(lambda: stack.main(["sideways"])) == 2
    assert capsys.readouterr().err == "loyalty: python -m deployments.stack up | down | status\n"


def _slugs(up: stack.Stack) -> set[str]:
    return {each["slug"] for each in stack.ask(up, "block_types/filter")}

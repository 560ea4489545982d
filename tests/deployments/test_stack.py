"""The local stack, whole: brought up, used, broken in several ways and mended, taken down."""

import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import URL

from blocks.registry import BLOCKS
from deployments import demo, examination, pool, ports, processes, record, stack
from deployments.programme import wanted
from deployments.record import Part, Stack
from flows import prefect_api
from loyalty.commands.failures import guarded
from loyalty.db import embedded

Up = Callable[[], Stack]


def test_the_stack_runs_what_is_deployed_and_mends_what_breaks(shop: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: up finds free ports and deploys all, again it changes nothing; a deployed run closes a month and leaves its
    approval waiting; what dies is started anew, and the rest goes on; down stops all.
    """
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    said: list[str] = []
    with _taken() as first, _taken() as second:
        monkeypatch.setenv("LOYALTY_PREFECT_PORT", str(first))
        monkeypatch.setenv("LOYALTY_API_PORT", str(second))
        try:
            up = stack.up(said.append)
            assert said == [
                f"port {first} is taken: Prefect's server is at {up.port} (LOYALTY_PREFECT_PORT chooses another)",
                f"port {second} is taken: the API is at {up.http_port} (LOYALTY_API_PORT chooses another)",
            ]
            said.clear()
            assert stack.up(said.append) == up
            _everything_is_there(up)
            assert demo.deployed(up, "monthly_loyalty", period="2026-01") == "2026-01 closed: 3 statements, 1 moves"
            assert [name for name, _ in demo.asked(up)] == ["review 2026-01 Gold 1"]
            _what_dies_is_started_anew(up, lambda: stack.up(said.append))
            _a_reboot_and_an_upgrade_leave_no_trouble(lambda: stack.up(said.append))
            said.clear()
            last = record.read()
        finally:
            stack.down(said.append)

    assert said == ["Prefect worker stopped", "Prefect server stopped", "API stopped", "embedded database stopped"]
    assert [part.lives for part in last.parts().values()] == [False, False, False]
    assert (embedded.status().running, prefect_api.found(), record.read()) == (False, None, Stack())


@contextmanager
def _taken() -> Iterator[int]:
    """A port that somebody has, below those that systems give to outgoing connections.

    Prefect's server takes seconds to listen; among those, another test's connection may have its port by then.
    """
    with socket.socket() as probe:
        port = next(port for port in random.sample(range(20_000, 30_000), 1_000) if ports.is_free(port))
        probe.bind((ports.HOST, port))
        yield port


def _everything_is_there(up: Stack) -> None:
    """Pool and queues, every deployment, blocks and automations; and the doctor finds nothing wrong with it."""
    queues = {each["name"]: each["priority"] for each in stack.ask(up, f"work_pools/{pool.POOL}/queues/filter")}
    there = {each["name"]: each["work_queue_name"] for each in stack.ask(up, "deployments/filter")}
    findings = [*examination.stack(), *examination.prefect()]

    assert list(queues) == sorted(queues, key=lambda name: queues[name])
    assert list(queues) == list(pool.QUEUES)
    assert there == {each["name"]: each["work_pool"]["work_queue_name"] for each in wanted()}
    assert {block.get_block_type_slug() for block in BLOCKS} <= {
        each["slug"] for each in stack.ask(up, "block_types/filter")
    }
    assert [each for each in findings if each.state == "problem"] == []
    assert {each.part: each.told for each in findings if each.state == "note"}.keys() == {"schedules"}
    assert prefect_api.found() == up.api


def _what_dies_is_started_anew(up: Stack, again: Up) -> None:
    """The API, the Prefect server and the database under it come where they were, while the worker goes on."""
    _kill(up.service)
    assert _problems() == {"API"}
    _kill(up.server)
    embedded.stop()
    assert _problems() == {"API", "Prefect server", "Prefect"}
    mended = again()

    assert (mended.worker, mended.port, mended.http_port) == (up.worker, up.port, up.http_port)
    assert _problems() == set()


def _problems() -> set[str]:
    return {each.part for each in (*examination.stack(), *examination.prefect()) if each.state == "problem"}


def _kill(part: Part | None) -> None:
    assert part is not None
    os.kill(part.process.pid, signal.SIGKILL)
    while part.lives:
        time.sleep(0.05)
    assert not processes.stop(part.process)


def _a_reboot_and_an_upgrade_leave_no_trouble(again: Up) -> None:
    """All processes are gone, and others have their numbers: those are left alone, and ours are started.

    Deploying anew leaves the schedules on that were switched on in the UI, and what rests at rest.
    """
    before = record.read()
    _switch_on(before, "daily_expiry")
    for part in before.parts().values():
        processes.stop(part.process)
    embedded.stop()
    gone = {
        field: replace(part, process=replace(part.process, pid=os.getpid()))
        for field, part in (("worker", before.worker), ("server", before.server), ("service", before.service))
        if part
    }
    record.write(replace(before, **gone, deployed="by another release"))
    assert _problems() == {"Prefect worker", "Prefect server", "API", "Prefect"}
    up = again()
    active = {
        each["name"]: schedule["active"]
        for each in stack.ask(up, "deployments/filter")
        for schedule in each["schedules"]
    }

    assert [part.lives for part in up.parts().values()] == [True, True, True]
    assert (up.port, up.http_port) == (before.port, before.http_port)
    assert {name for name, on in active.items() if on} == {"daily_expiry"}
    assert len(active) > 1


def _switch_on(up: Stack, name: str) -> None:
    """As a person does in the UI."""
    deployment = stack.ask(up, f"deployments/name/{name}/{name}", "GET")
    schedule = deployment["schedules"][0]["id"]
    stack.ask(up, f"deployments/{deployment['id']}/schedules/{schedule}", "PATCH", active=True)


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
    monkeypatch.setenv("LOYALTY_PREFECT_PORT", given)

    assert guarded(lambda: stack.main(["up"])) == 1
    assert (
        capsys.readouterr().err == f'loyalty: LOYALTY_PREFECT_PORT must be a port from 1024 to 65435, not "{given}"\n'
    )


def test_wrong_words_are_told_how(capsys: pytest.CaptureFixture[str]) -> None:
    """Law: a command line that means nothing shows the usage, exit code 2."""
    assert guarded(lambda: stack.main(["sideways"])) == 2
    assert capsys.readouterr().err == "loyalty: python -m deployments.stack up | down | status\n"

"""Ports chosen."""

import socket
from collections.abc import Iterator

import pytest

from deployments import ports
from loyalty.errors import Unavailable


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody has."""
    with socket.socket() as probe:
        probe.bind((ports.HOST, 0))
        yield probe.getsockname()[1]


def test_a_port_that_is_taken_is_passed_over_and_told(taken: int) -> None:
    """Law: the next free one, in a line that names the setting."""
    said: list[str] = []
    port = ports.free("LOYALTY_API_PORT", taken, None, "the API", said.append, taken=taken + 1)

    assert port > taken + 1
    assert said == [f"port {taken} is taken: the API is at {port} (LOYALTY_API_PORT chooses another)"]


def test_the_port_of_before_is_kept(taken: int) -> None:
    """Law: a server that comes again comes where it was, so that links still lead there."""
    before = ports.free("LOYALTY_API_PORT", taken + 1, None, "the API", print) + 1
    while not ports.is_free(before):
        before += 1

    assert ports.free("LOYALTY_API_PORT", taken, before, "the API", print) == before


def test_no_port_is_one_line(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: where none is free, the setting is named."""
    monkeypatch.setattr(ports, "TRIED", 1)

    with pytest.raises(Unavailable) as caught:
        ports.free("LOYALTY_API_PORT", taken, None, "the API", print)
    assert str(caught.value) == f"no port from {taken} on is free: set LOYALTY_API_PORT"

"""One stack for the session's browser test: server, worker, deployments, API, and a small shop in its own database."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments import stack
from deployments.record import Stack
from loyalty import clock
from loyalty.db import engine
from loyalty.db.imports import import_members, import_transactions
from loyalty.db.programme import set_up
from tests.browser import shop


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The stack with the shop's three months, none of them closed; the clock stands in April."""
    monkeypatch.delenv("LOYALTY_DATABASE_URL", raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("LOYALTY_CLOCK", shop.CLOCK)
    for port in ("LOYALTY_PREFECT_PORT", "LOYALTY_API_PORT"):
        monkeypatch.setenv(port, str(_free_port()))
    try:
        with engine.connect() as connection:
            set_up(connection, at=clock.now())
        for name, text, load in (
            ("members", shop.MEMBERS, import_members),
            ("sales", shop.TRANSACTIONS, import_transactions),
        ):
            file = tmp_path / f"{name}.csv"
            file.write_text(text)
            assert load(file).rejected == 0
        yield stack.up(lambda _line: None)
    finally:
        engine.dispose()
        stack.down(lambda _line: None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

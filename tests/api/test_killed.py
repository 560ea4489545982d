"""The server killed under load: what it answered is there, and what it did not answer is there once when sent again."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import URL

from tests.api.conftest import Server, started

CLIENTS = 8
REQUESTS = 24  # of each client
KILLS = 2
MEMBERS = 3
PATIENCE_SECONDS = 120
POSTED = (
    "select k.transaction_id, e.points from entries as e join transaction_keys as k on e.cause = -k.transaction_no"
    " where e.kind = 'earn'"
)


@dataclass(frozen=True)
class Write:
    """Something to be done once, however often it is sent."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Load:
    """What all clients have in common: where the server is by now, what it answered, and what it never did."""

    server: Server
    line: httpx.Client
    answers: list[tuple[Write, dict[str, Any]]] = field(default_factory=list)
    unheard: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def send(self, write: Write) -> httpx.Response:
        """Send it once."""
        return self.line.post(f"{self.server.url}/v1/{write.path}", json=write.body, headers=write.headers)

    def deliver(self, write: Write) -> None:
        """Send it until it is answered."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                answer = self.send(write)
            except httpx.ConnectError:  # it never arrived
                time.sleep(0.02)
                continue
            except httpx.TransportError:
                with self.changed:
                    self.unheard += 1
                continue
            with self.changed:
                self.answers.append((write, answer.json()))
                self.changed.notify_all()
            return
        raise AssertionError("the server does not come back")

    def await_answers(self, number: int) -> None:
        """Wait until so many are answered."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.answers) >= number, PATIENCE_SECONDS)


def test_a_killed_server_loses_and_doubles_nothing(own_database: URL, tmp_path: Path) -> None:
    """Law: SIGKILL under 8 clients, twice: each write is there once, answered or sent again, with its first answer."""
    with ExitStack() as stack:
        first = stack.enter_context(started(own_database, tmp_path / "0"))
        load = Load(first, stack.enter_context(first.caller()))
        for number in range(MEMBERS):
            load.line.put(f"{first.url}/v1/members/M{number}", json={})
        with ThreadPoolExecutor(CLIENTS) as clients:
            working = [clients.submit(_client, load, number) for number in range(CLIENTS)]
            for kill in range(1, KILLS + 1):
                load.await_answers(kill * CLIENTS * REQUESTS // (KILLS + 1))
                os.kill(load.server.process.pid, signal.SIGKILL)
                load.server = stack.enter_context(started(own_database, tmp_path / str(kill)))
            for each in working:
                each.result()

        assert len(load.answers) == CLIENTS * REQUESTS
        assert load.unheard > 0
        _check(load)


def test_workers_end_with_the_server_that_started_them(own_database: URL, tmp_path: Path) -> None:
    """Law: SIGKILL of a server with several workers frees its port for the next one: no worker outlives it."""
    with started(own_database, tmp_path, "--workers", "2", TMPDIR=str(tmp_path)) as server:
        os.kill(server.process.pid, signal.SIGKILL)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                httpx.get(f"{server.url}/healthz")
            except httpx.ConnectError:
                break
            except httpx.TransportError:
                pass
            assert time.monotonic() < until, "workers serve on without their server"
            time.sleep(0.02)


def _client(load: Load, number: int) -> None:
    for write in _writes(number):
        load.deliver(write)


def _writes(client: int) -> Iterator[Write]:
    """What a till does, to members whom all tills serve: sells, gives money back, spends points."""
    chance = random.Random(client)
    for number in range(REQUESTS):
        name, member = f"{client}-{number}", f"M{chance.randrange(MEMBERS)}"
        if number % 4 == 3:
            yield Write("redemptions", {"customer_id": member, "points": 7}, {"Idempotency-Key": name})
        elif number % 6 == 4:  # the second write before it is a sale
            sold = f"{client}-{number - 2}"
            yield Write("refunds", {"transaction_id": name, "original_transaction_id": sold, "amount": "3.35"})
        else:
            amount = f"{chance.randint(335, 20_000) / 100:.2f}"
            yield Write("purchases", {"transaction_id": name, "customer_id": member, "amount": amount})


def _check(load: Load) -> None:
    """The books hold what was answered, once; every request sent once more gets its first answer; every check holds."""
    recorded = [(write, told) for write, told in load.answers if "transaction_id" in told]
    spent = [(int(told["redemption_id"]), told["points"]) for _, told in load.answers if "redemption_id" in told]
    refused = [told["type"] for _, told in load.answers if "type" in told]
    paid = sum(Decimal(write.body["amount"]) * (-1 if write.path == "refunds" else 1) for write, _ in recorded)
    server = load.server
    posted = [(told["transaction_id"], told["points_posted"]) for _, told in recorded if told["points_posted"]]
    again = [load.send(write).json() for write, _ in load.answers]
    members = [load.line.get(f"{server.url}/v1/members/M{number}").json() for number in range(MEMBERS)]
    balance = sum(member["balance"] for member in members)
    verified = server.command("verify")

    assert len(recorded) + len(spent) + refused.count("/problems/too-few-points") == len(load.answers)
    assert sorted(server.execute("select transaction_id, 1 from transaction_keys")) == sorted(
        (told["transaction_id"], 1) for _, told in recorded
    )
    assert sorted(server.execute("select redemption_no, points from redemptions")) == sorted(spent)
    assert sorted(server.execute(POSTED)) == sorted(posted)
    assert again == [told for _, told in load.answers]
    assert 0 <= paid / 10 - balance - sum(points for _, points in spent) < MEMBERS  # each has a fraction over
    assert (verified.returncode, verified.stderr) == (0, "")

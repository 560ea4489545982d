"""The product driven by HTTP alone where a till would, over a line that breaks; in the words of tests/till_model.py."""

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import uvicorn

from loyalty.api.app import application
from loyalty.api.appliers import drain
from loyalty.api.server import BoundedHttp
from loyalty.db import api_keys, inbox
from loyalty.db.engine import transaction
from tests import till_model
from tests.laws.product import major
from tests.model import Refused, Transaction
from tests.till.till_product import TOLD, TillProduct

PATIENCE_SECONDS = 30
WAYS = ["whole", "whole", "torn", "unheard", "twice", "again"]
REASONS = {
    "the same id came before with other content": "the same id with other content",
    **TOLD,
}


@contextmanager
def serving() -> Iterator["Line"]:
    """The application on a port, in a thread: it has this process's clock and database. The line to it."""
    running = uvicorn.Server(
        uvicorn.Config(application, http=BoundedHttp, ws="none", lifespan="off", log_config=None, access_log=False)
    )
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as client:
            yield Line(running, client)
    finally:
        running.should_exit = True
        thread.join()
        listening.close()


@dataclass
class Line:
    """A line to a server, which breaks at times: then the same is sent again until it is answered."""

    server: uvicorn.Server
    client: httpx.Client
    chance: random.Random = field(default_factory=lambda: random.Random(0))

    def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request in one of the ways in which it may come; its answer, whichever try got it."""
        way = self.chance.choice(WAYS)
        if way == "twice":
            with ThreadPoolExecutor(2) as both:
                answers = list(both.map(self.client.send, [request, request]))
        elif way == "again":
            answers = [self.client.send(request) for _ in range(2)]
        else:
            cut = self._cut(request, torn=way == "torn") if way != "whole" else None
            answers = [self.client.send(request)]
            self._settle(cut)
        assert len({answer.content for answer in answers}) == 1, [answer.text for answer in answers]
        return answers[0]

    def _cut(self, request: httpx.Request, *, torn: bool) -> int:
        """Send it, or a part of it, and hang up without waiting for the answer; the port it came from."""
        request.read()
        head = [f"{request.method} {request.url.raw_path.decode()} HTTP/1.1"]
        head += [f"{name}: {value}" for name, value in request.headers.items()]
        said = "\r\n".join([*head, "", ""]).encode() + request.content
        with socket.create_connection((request.url.host, request.url.port or 80)) as line:
            line.sendall(said[: self.chance.randrange(1, len(said))] if torn else said)
            port: int = line.getsockname()[1]
        return port

    def _settle(self, cut: int | None) -> None:
        """Wait until nothing of what was cut off is under way any more: time goes on after that."""
        until = time.monotonic() + PATIENCE_SECONDS
        state = self.server.server_state
        while cut is not None and (state.tasks or any(_port(each) in {cut, None} for each in state.connections.copy())):
            assert time.monotonic() < until, "a request that was cut off never ends"
            time.sleep(0.001)


def _port(connection: Any) -> int | None:
    return connection.client[1] if connection.client else None


@dataclass
class HttpTill(TillProduct):
    """A programme whose tills are on a line; months are closed and files imported as ever."""

    line: Line = field(kw_only=True)
    _sent: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Set the programme up, and make the tills a key."""
        super().__post_init__()
        with transaction() as connection:
            self._key = api_keys.create(connection, "till", ["all"], at=datetime(2015, 1, 1, tzinfo=UTC))

    def purchase(self, new: Transaction, now: datetime) -> int:
        """A sale that comes; the points of its first answer."""
        told = self._row(new) | {"customer_id": new.customer_id}
        return self._posted("purchases", told | {piece: major(part) for piece, part in new.pieces.items()}, now)

    def refund(self, new: Transaction, now: datetime) -> int:
        """A refund that comes; the points of its first answer, below zero."""
        told = self._row(new) | {"customer_id": new.customer_id, "original_transaction_id": new.original}
        return self._posted("refunds", told, now)

    def redeem(self, customer_id: str, points: int, at: datetime, *, hold: bool = False) -> str:
        """Spend or hold points; the redemption's id."""
        told = self._post("redemptions", {"customer_id": customer_id, "points": points, "hold": hold}, at)
        return str(told.json()["redemption_id"])

    def commit(self, number: str, at: datetime) -> str:
        """Commit a hold that is not over; the state then."""
        try:
            return str(self._post(f"redemptions/{number}/commit", None, at).json()["state"])
        except Refused:
            return self.state(number, at)

    def state(self, number: str, at: datetime) -> str:
        """What a redemption is at an instant."""
        return str(self._get(f"redemptions/{number}", at)["state"])

    def cancel(self, number: str, at: datetime) -> str:
        """Undo a redemption; the state then."""
        return str(self._post(f"redemptions/{number}/cancel", None, at).json()["state"])

    def standing(self, customer_id: str, at: datetime) -> tuple[int, int, int]:
        """Available, pending, owed at an instant. KeyError without such a member."""
        found = self._get(f"members/{customer_id}", at)
        assert found["balance"] == found["available"] + found["pending"] - found["owed"]
        return found["available"], found["pending"], found["owed"]

    def expire(self, as_of: datetime) -> None:
        """The daily job; then every event that waits is tried again, as `loyalty inbox replay` does."""
        super().expire(as_of)
        with transaction() as connection:
            waiting = [row["event_no"] for row in inbox.listed(connection, ["waiting"], 1000)]
            inbox.replay(connection, waiting, as_of)
        drain(as_of, 1000)

    def _row(self, new: Transaction) -> dict[str, Any]:
        return {
            "transaction_id": new.transaction_id,
            "source": new.source,
            "occurred_at": new.occurred_at.isoformat(),
            "amount": major(new.amount),
        }

    def _posted(self, what: str, told: dict[str, Any], now: datetime) -> int:
        answer = self._post(what, told, now)
        if answer.status_code == httpx.codes.ACCEPTED:
            raise till_model.Waits
        return int(answer.json()["points_posted"])

    def _post(self, what: str, told: dict[str, Any] | None, now: datetime) -> httpx.Response:
        """Send what is to be done; an answer that says it was done, or that it waits. Refused in the model's words."""
        self.tell_time(now)
        self._sent += 1
        headers = {"Idempotency-Key": f"request-{self._sent}"} if what == "redemptions" else {}
        request = self.line.client.build_request("POST", f"/v1/{what}", json=told, headers=self._caller() | headers)
        answer = self.line.send(request)
        if answer.is_success:
            return answer
        raise Refused(_reason(answer))

    def _get(self, what: str, at: datetime) -> dict[str, Any]:
        self.tell_time(at)
        answer = self.line.client.get(f"/v1/{what}", headers=self._caller())
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise KeyError(what)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def _caller(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}


def _reason(answer: httpx.Response) -> str:
    """Why it was refused, in the model's words."""
    problem = json.loads(answer.content)
    if problem["type"] == "/problems/too-few-points":
        return "too few points"
    if problem["detail"].startswith("the same came before and is dead: "):
        return "dead"
    wrong = [f"{each['pointer']}: {each['detail']}".removeprefix(": ") for each in problem.get("errors", [])]
    return REASONS[wrong[0] if wrong else problem["detail"]]

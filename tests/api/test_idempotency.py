"""Idempotency-Key: the same again has its effect once and gets the first answer."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import URL, Connection, text

from loyalty import clock
from loyalty.api.work import answered_once
from loyalty.db import idempotency
from loyalty.db.engine import connect
from loyalty.db.idempotency import Answer, Request
from loyalty.errors import OtherContent, Refused, Unavailable
from tests.api.conftest import Server

MINE = Request(1, "key-1", idempotency.digest_of("POST", "/v1/x", "{}"))
OTHER = Request(1, "key-1", idempotency.digest_of("POST", "/v1/x", "[]"))


def test_a_repeat_gets_the_first_answer(till: httpx.Client, api: Server, customer: str) -> None:
    """Law: the same request again, however its JSON is laid out, gets the first answer to the byte; nothing is done."""
    headers = {"Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/json"}
    first = till.put(f"/v1/members/{customer}", content=b'{"first_name": "Ada", "last_name": "L"}', headers=headers)
    till.put(f"/v1/members/{customer}", json={"first_name": "Bea"})
    again = till.put(f"/v1/members/{customer}", content=b'{"last_name":"L","first_name":"Ada"}', headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    name = "select first_name from loyalty.members where customer_id = :id"
    assert api.execute(name, id=customer) == [("Bea",)]


def test_other_content_is_refused(till: httpx.Client, customer: str) -> None:
    """Law: the same key with another body, path or method is 409; another caller's same key is another key."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    assert till.put(f"/v1/members/{customer}", json={}, headers=headers).status_code == 201
    others = [
        till.put(f"/v1/members/{customer}", json={"first_name": "Ada"}, headers=headers),
        till.put(f"/v1/members/{customer}-2", json={}, headers=headers),
    ]
    assert [(each.status_code, each.json()["type"]) for each in others] == [(409, "/problems/other-content")] * 2


def test_another_callers_key_is_another_key(api: Server, till: httpx.Client, customer: str) -> None:
    """Law: idempotency keys are each API key's own."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    with api.caller("members:write") as other:
        assert till.put(f"/v1/members/{customer}", json={}, headers=headers).status_code == 201
        assert other.put(f"/v1/members/{customer}", json={"first_name": "A"}, headers=headers).status_code == 200


def test_many_at_once_are_one(api: Server, customer: str) -> None:
    """Law: of requests with one key that come at the same time one has its effect, and all get its answer."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    start = threading.Barrier(16)

    def put(_: int) -> tuple[int, bytes]:
        with api.caller() as client:
            start.wait()
            answer = client.put(f"/v1/members/{customer}", json={"first_name": "Ada"}, headers=headers)
            return answer.status_code, answer.content

    api.key("all")
    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(put, range(16)))
    assert [status for status, _ in answers] == [201]


@pytest.fixture
def asked(database: URL) -> list[int]:
    """Counts how often the work was done."""
    return []


def _work(asked: list[int], answer: Answer | Exception) -> Callable[[Connection], Answer]:
    def work(connection: Connection) -> Answer:
        asked.append(connection.execute(text("select txid_current()")).scalar_one())
        if isinstance(answer, Exception):
            raise answer
        return answer

    return work


def test_a_refusal_is_an_answer_too(asked: list[int]) -> None:
    """Law: what was refused stays refused under that key, though the state has changed since."""
    first = answered_once(MINE, _work(asked, Refused("not now")))
    again = answered_once(MINE, _work(asked, Answer(201, "{}")))
    assert first == again
    assert (first.status, len(asked)) == (409, 1)
    with pytest.raises(OtherContent):
        answered_once(OTHER, _work(asked, Answer(201, "{}")))


def test_a_failure_is_no_answer(asked: list[int]) -> None:
    """Law: after an outage the same request is done; each try of it was rolled back whole."""
    with pytest.raises(Unavailable):
        answered_once(MINE, _work(asked, Unavailable("away")))
    assert answered_once(MINE, _work(asked, Answer(201, "{}"))) == Answer(201, "{}")
    assert len(asked) == 4


def test_who_waits_for_one_that_fails_does_it_itself(asked: list[int]) -> None:
    """Law: a request that waits for another with its key takes over if that one is rolled back."""
    entered, leave = threading.Event(), threading.Event()

    def fails(connection: Connection) -> Answer:
        entered.set()
        leave.wait(10)
        raise LookupError

    def first() -> None:
        with pytest.raises(LookupError):
            answered_once(MINE, fails)

    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(first)
        entered.wait(10)
        waiting = pool.submit(answered_once, MINE, _work(asked, Answer(200, '"mine"')))
        while not _someone_waits():
            pass
        assert asked == []
        leave.set()
        failing.result(10)
        assert waiting.result(10) == Answer(200, '"mine"')


def test_answers_are_forgotten_in_time(asked: list[int]) -> None:
    """Law: a first answer is kept for a week, and no longer."""
    answered_once(MINE, _work(asked, Answer(201, "{}")))
    with connect() as connection:
        assert idempotency.forget(connection, clock.now() + idempotency.KEPT - timedelta(minutes=1)) == 0
        assert idempotency.forget(connection, clock.now() + idempotency.KEPT + timedelta(minutes=1)) == 1


def _someone_waits() -> bool:
    with connect() as connection:
        waits = "select exists (select from pg_locks where not granted and locktype = 'transactionid')"
        return bool(connection.execute(text(waits)).scalar_one())

"""Limits of the rules: what breaks one is held, staff are told, and a person releases it once or refuses it."""

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from loyalty.cli import run
from loyalty.db.engine import connect
from loyalty.messages.delivery import deliver
from loyalty.rules.programme import Velocity
from tests.api.http_till import HttpTill, Line, serving
from tests.laws.conftest import Databases, databases
from tests.model import DEFAULT
from tests.till.till_product import install_keys

__all__ = ["databases"]

NOON = datetime.fromisoformat("2026-03-03T12:00:00+00:00")
CLIENTS = 64


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    """A line to a server that all tests here share."""
    with serving() as made:
        yield made


class Shop:
    """A shop that earns on purchase, and its tills over HTTP."""

    def __init__(self, product: HttpTill) -> None:
        self.product = product
        self.headers = product._caller()
        self.url = product.line.client.base_url
        self.product.tell_time(NOON)

    def limit(self, *limits: Velocity) -> None:
        install_keys(DEFAULT, {"earning": "on_purchase", "velocity": limits})

    def post(self, what: str, body: Any, key: str | None = None, client: httpx.Client | None = None) -> tuple[int, Any]:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        answer = (client or self.product.line.client).post(f"/v1/{what}", json=body, headers=headers)
        return answer.status_code, answer.json()

    def buy(self, number: str, customer: str = "C1", amount: str = "100.00", **more: Any) -> tuple[int, Any]:
        return self.post("purchases", {"transaction_id": number, "customer_id": customer, "amount": amount, **more})

    def redeem(self, key: str, points: int, customer: str = "C1", **more: Any) -> tuple[int, Any]:
        return self.post("redemptions", {"customer_id": customer, "points": points, **more}, key)

    def balance(self, customer: str = "C1") -> int:
        return sum(self.product.standing(customer, NOON))

    def held(self) -> list[tuple[int, str]]:
        with connect() as connection:
            held = text("select event_no, reason from inbox where state = 'held' order by event_no")
            return [tuple(row) for row in connection.execute(held)]


@pytest.fixture
def shop(line: Line, databases: Databases, tmp_path: Path) -> Iterator[Shop]:
    """A shop without limits yet."""
    with databases() as patch:
        made = Shop(HttpTill(patch, tmp_path, rules=DEFAULT, line=line))
        made.limit()
        yield made


def test_a_breach_is_held_and_released_once(shop: Shop) -> None:
    """Law: the purchase above the limit is kept (202), nothing of it is done; released, it is applied exactly once."""
    shop.limit(Velocity(kind="earn", most=2))
    assert [shop.buy(f"T{number}")[0] for number in range(2)] == [201, 201]
    reason = "more than 2 purchases of one member in one day"
    told = (202, {"transaction_id": "T2", "state": "held", "reason": reason})
    assert [shop.buy("T2") for _ in range(2)] == [told] * 2
    assert shop.buy("T2", amount="99.00")[1]["type"] == "/problems/other-content"
    assert shop.post("refunds", {"transaction_id": "R2", "original_transaction_id": "T2", "amount": "50.00"})[0] == 202
    assert (shop.balance(), [why for _, why in shop.held()]) == (20, [reason])
    [(number, _)] = shop.held()

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: run(["held", "release", str(number), "--by", "ann"]), range(4)))
    assert sorted(codes) == [0, 1, 1, 1]
    assert (shop.balance(), shop.held()) == (25, [])
    assert shop.buy("T2") == (200, {"transaction_id": "T2", "points_posted": 10, "balance": 25, "tier": "Bronze"})
    assert shop.buy("T3")[0] == 202
    shop.product.tell_time(NOON + timedelta(days=1))
    assert shop.buy("T4")[0] == 201
    assert shop.product.wrong() == {}


def test_what_is_refused_stays_as_it_came(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    """Law: a refused event is never applied, keeps its raw body with who refused it and why, and can't be released."""
    shop.limit(Velocity(kind="earn", most=0, of="points"))
    shop.buy("T1")
    [(number, reason)] = shop.held()
    assert reason == "more than 0 points of purchases of one member in one day"
    assert [run(["held", "list"]), run(["held", "show", str(number)])] == [0, 0]
    shown = capfd.readouterr().out
    assert (shown.count(reason), shown.count('"transaction_id": "T1"')) == (2, 1)
    assert run(["held", "refuse", str(number), "--by", "ann", "--note", "a test sale"]) == 0
    assert run(["held", "release", str(number), "--by", "ann"]) == 1
    assert capfd.readouterr().err.endswith(f"loyalty: no event {number} is held\n")
    with connect() as connection:
        state, why, body = connection.execute(text("select state, reason, body from inbox")).one()
    assert (state, why) == ("dropped", "refused by ann: a test sale")
    assert b'"T1"' in bytes(body)
    status, problem = shop.buy("T1")
    assert (status, problem["detail"]) == (409, "the same came before and is dropped: refused by ann: a test sale")
    assert shop.product.entries() == []


def test_a_redemption_above_its_limit_is_held(shop: Shop) -> None:
    """Law: by its Idempotency-Key it is 202 until it is released, then 201 with its result; 409 if it can't be then."""
    shop.limit(Velocity(kind="redeem", of="points", most=10))
    shop.buy("T1", amount="400.00")
    assert shop.redeem("K1", 10)[0] == 201
    reason = "more than 10 points of redemptions of one member in one day"
    assert [shop.redeem(key, 20) for key in ("K2", "K2")] == [(202, {"state": "held", "reason": reason})] * 2
    assert [shop.redeem("K3", 25)[0], shop.redeem("K2", 21)[0]] == [202, 409]
    first, second = (number for number, _ in shop.held())

    assert run(["held", "release", str(first), "--by", "ann"]) == 0
    status, told = shop.redeem("K2", 20)
    assert (status, told["points"], told["balance"], told["worth"]) == (201, 20, 10, "0.20")
    assert run(["held", "release", str(second), "--by", "ann"]) == 1
    assert shop.redeem("K3", 25)[1]["detail"] == "the same came before and is dead: too few points: 10 are available"
    assert shop.balance() == 10
    assert shop.product.wrong() == {}


def test_limits_of_tills_people_and_places(shop: Shop) -> None:
    """Law: each is counted by what the till names, and what names none isn't counted."""
    shop.limit(*(Velocity(kind="earn", per=per, most=1, window="hour") for per in ("till", "staff", "location")))
    named = [{"till": "1"}, {"till": "2"}, {"staff": "bob"}, {"location": "Berlin"}]
    told = [shop.buy(f"T{number}", f"C{number}", **each)[0] for number, each in enumerate([*named, {}, {}, *named])]

    assert told == [201] * 6 + [202] * 4
    assert [why for _, why in shop.held()] == [
        "more than 1 purchases of one till in one hour",
        "more than 1 purchases of one till in one hour",
        "more than 1 purchases of one member of staff in one hour",
        "more than 1 purchases of one location in one hour",
    ]


def test_too_soon_after_a_change_or_a_redemption(shop: Shop) -> None:
    """Law: a redemption within hours of other contact data, and a refund within hours of a redemption, are held."""
    shop.limit(Velocity(kind="redeem_after_change", hours=24), Velocity(kind="refund_after_redemption", hours=1))
    client = shop.product.line.client
    shop.buy("T1", amount="400.00")
    assert shop.redeem("K1", 1)[0] == 201
    refund = {"transaction_id": "R1", "original_transaction_id": "T1", "amount": "10.00"}
    assert shop.post("refunds", refund)[1]["reason"] == "a refund within 1 hours of a redemption"
    told: list[int] = []
    for fields in ({"first_name": "Ada"}, {"email": "ada@example.com"}, {"email": "ada@example.com"}):
        client.put("/v1/members/C1", json=fields, headers=shop.headers)
        told.append(shop.redeem(uuid.uuid4().hex, 1)[0])
    assert told == [201, 202, 202]
    assert shop.held()[-1][1] == "a redemption within 24 hours of a change of contact data"
    shop.product.tell_time(NOON + timedelta(days=1, seconds=1))
    assert shop.redeem("K2", 1)[0] == 201
    shop.product.tell_time(NOON + timedelta(days=1, hours=2))
    assert shop.post("refunds", refund | {"transaction_id": "R2"})[0] == 201
    assert shop.product.wrong() == {}


def test_staff_are_told_without_names(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Law: each breach is one message to staff, which names the limit and the commands, and nobody."""
    monkeypatch.setenv("LOYALTY_STAFF_EMAIL", "staff@example.com")
    monkeypatch.setenv("LOYALTY_HOME", str(tmp_path))
    shop.limit(Velocity(kind="earn", most=0))
    shop.buy("T1", "Ada-Lovelace")
    shop.buy("T1", "Ada-Lovelace")
    deliver(NOON)
    [written] = tmp_path.rglob("staff-*.eml")
    [(number, _)] = shop.held()
    said = written.read_text()

    assert "Subject: Held for review: a purchase breaks a limit" in said
    assert f"loyalty held release {number} --by HANDLE" in said
    assert "Lovelace" not in said


@pytest.mark.parametrize("kind", ["earn", "redeem"])
def test_counts_are_exact_under_many_clients(shop: Shop, kind: str) -> None:
    """Law: of 64 clients at once exactly as many are done as the limit allows; the others are held, none is lost."""
    shop.limit()
    for number in range(8):
        shop.buy(f"S{number}", f"C{number}", "1000.00")
    most = 20
    shop.limit(Velocity(kind="earn", per="location", most=most), Velocity(kind="redeem", per="location", most=most))
    start = threading.Barrier(CLIENTS)

    def ask(number: int) -> int:
        who = {"customer_id": f"C{number % 8}", "location": "Berlin"}
        with httpx.Client(base_url=shop.url, timeout=60) as client:
            start.wait()
            if kind == "redeem":
                return shop.post("redemptions", who | {"points": 1}, f"K{number}", client)[0]
            sale = who | {"transaction_id": f"T{number}", "amount": "10.00"}
            return shop.post("purchases", sale, client=client)[0]

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = Counter(pool.map(ask, range(CLIENTS)))
    assert answers == {201: most, 202: CLIENTS - most}
    assert len(shop.held()) == CLIENTS - most
    with connect() as connection:
        assert connection.execute(text("select events from velocity_counts")).scalar_one() == most
    moved = most if kind == "earn" else -most
    assert sum(shop.balance(f"C{number}") for number in range(8)) == 800 + moved
    assert shop.product.wrong() == {}

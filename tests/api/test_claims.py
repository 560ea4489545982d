"""Purchases of customers whom nobody has registered: kept, and claimed by whoever registers in time."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from loyalty.api.appliers import drain
from loyalty.db import inbox
from loyalty.db.engine import connect, transaction
from tests.api.http_till import HttpTill, Line, serving
from tests.laws.conftest import Databases, databases
from tests.laws.scenarios import HISTORIES
from tests.model import DEFAULT, Transaction
from tests.till.till_product import install_keys

__all__ = ["databases"]

DAYS = 10
NOON = datetime.fromisoformat("2026-03-03T12:00:00+00:00")
UNREGISTERED = "the customer is not registered"
TOO_LATE = "the customer did not register within claim_days of the purchase"


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    """A line to a server that all tests here share."""
    with serving() as made:
        yield made


class Desk:
    """A shop whose customers register first, and its tills."""

    def __init__(self, product: HttpTill) -> None:
        self.product = product
        self.client = product.line.client
        self.headers = product._caller()

    def buy(self, number: str, customer: str, at: datetime, amount: str = "100.00", **more: Any) -> tuple[int, Any]:
        sale = {"transaction_id": number, "customer_id": customer, "amount": amount, **more}
        return self.send("POST", "purchases", sale, at)

    def refund(self, number: str, sale: str, at: datetime, amount: str = "50.00") -> tuple[int, Any]:
        given = {"transaction_id": number, "original_transaction_id": sale, "amount": amount}
        return self.send("POST", "refunds", given, at)

    def register(self, customer: str, at: datetime) -> tuple[int, int]:
        status, told = self.send("PUT", f"members/{customer}", {}, at)
        return status, told["balance"]

    def send(self, method: str, what: str, body: Any, at: datetime) -> tuple[int, Any]:
        self.product.tell_time(at)
        answer = self.client.request(method, f"/v1/{what}", json=body, headers=self.headers)
        return answer.status_code, answer.json()

    def states(self) -> dict[str, tuple[str, str | None]]:
        with connect() as connection:
            rows = connection.execute(text("select event_id, state, reason from inbox"))
            return {row.event_id: (row.state, row.reason) for row in rows}

    def customers(self) -> set[str]:
        return {row["customer_id"] for row in self.product.read("members")}


@pytest.fixture
def desk(line: Line, databases: Databases, tmp_path: Path) -> Iterator[Desk]:
    """A shop that earns on purchase and enrols by registration, within DAYS."""
    with databases() as patch:
        yield opened(line, patch, tmp_path)


def opened(line: Line, patch: pytest.MonkeyPatch, folder: Path) -> Desk:
    product = HttpTill(patch, folder, rules=DEFAULT, line=line)
    install_keys(DEFAULT, {"earning": "on_purchase", "enrolment": "registration", "claim_days": DAYS})
    return Desk(product)


def test_a_purchase_waits_for_its_customer(desk: Desk) -> None:
    """Law: told before the registration it is kept (202), enrols nobody, and is applied by it with its own instant."""
    waiting = (202, {"transaction_id": "T1", "state": "waiting", "reason": UNREGISTERED})
    assert [desk.buy("T1", "C1", NOON) for _ in range(2)] == [waiting] * 2
    assert desk.buy("T1", "C1", NOON, "99.00")[1]["type"] == "/problems/other-content"
    assert desk.refund("R1", "T1", NOON + timedelta(hours=1))[0] == 202
    assert desk.customers() == set()
    later = NOON + timedelta(days=DAYS) - timedelta(seconds=1)

    assert desk.register("C1", later) == (201, 5)
    assert desk.register("C1", later) == (200, 5)
    assert desk.buy("T1", "C1", later)[0] == 200
    assert desk.buy("T2", "C1", later) == (
        201,
        {"transaction_id": "T2", "points_posted": 10, "balance": 15, "tier": "Bronze"},
    )
    entries = [(row["points"], row["occurred_at"]) for row in desk.product.entries()]
    assert entries == [(10, NOON), (-5, later), (10, later)]
    with connect() as connection:
        told = connection.execute(text("select transaction_id, occurred_at from transactions order by 1")).all()
        left = connection.execute(text("select count(waits_for_customer) from inbox")).scalar_one()
    assert [tuple(row) for row in told] == [("R1", NOON + timedelta(hours=1)), ("T1", NOON), ("T2", later)]
    assert left == 0
    assert desk.product.wrong() == {}


def test_who_registers_too_late_gets_nothing_of_it(desk: Desk) -> None:
    """Law: after claim_days it is a dead letter with that reason, its refunds too in time, whatever came first."""
    over = NOON + timedelta(days=DAYS)
    for number in ("T1", "T2"):
        desk.buy(number, number.replace("T", "C"), NOON)
    assert desk.register("C1", over) == (201, 0)
    assert drain(over, 100).dead == 1
    assert desk.states() == {"T1": ("dead", TOO_LATE), "T2": ("dead", TOO_LATE)}
    status, problem = desk.buy("T3", "C1", over, occurred_at=NOON.isoformat())
    assert (status, problem["detail"]) == (409, TOO_LATE)
    status, problem = desk.buy("T4", "C9", over, occurred_at=NOON.isoformat())
    assert (status, problem["detail"]) == (409, TOO_LATE)
    assert desk.buy("T5", "C1", over, occurred_at=(NOON + timedelta(seconds=1)).isoformat())[0] == 201
    assert desk.customers() == {"C1"}
    assert desk.product.wrong() == {}


def test_a_wrong_purchase_of_nobody_is_told_at_once(desk: Desk) -> None:
    """Law: what could never be recorded is refused to its sender, not kept for a customer who may come."""
    for wrong in ({"amount": "1.001"}, {"currency": "XXX"}, {"tax": "100.01"}):
        assert desk.buy("T1", "C1", NOON, **wrong)[0] == 422
    assert desk.states() == {}


def test_a_file_enrols_and_frees_what_waits(desk: Desk) -> None:
    """Law: a customer whom a file enrols has registered: the next drain applies what waited."""
    desk.buy("T1", "C1", NOON)
    desk.product.record([Transaction("F1", "C1", NOON, 10_000)], NOON + timedelta(days=2))

    assert drain(NOON + timedelta(days=2), 100).applied == 1
    assert desk.product.standing("C1", NOON + timedelta(days=2)) == (10, 0, 0)
    assert desk.product.wrong() == {}


def test_a_refund_outlives_its_sale_s_wait(desk: Desk) -> None:
    """Law: a refund isn't given up while its sale waits for its customer, however long the rules let it."""
    install_keys(DEFAULT, {"earning": "on_purchase", "enrolment": "registration", "claim_days": 90})
    desk.buy("T1", "C1", NOON)
    desk.refund("R1", "T1", NOON)
    late = NOON + timedelta(days=60)
    with transaction() as connection:
        inbox.replay(connection, [row["event_no"] for row in inbox.listed(connection, ["waiting"], 10)], late)
    assert drain(late, 100).waiting == 2
    assert desk.register("C1", late) == (201, 5)
    assert {state for state, _ in desk.states().values()} == {"applied"}


def test_both_at_once_lose_nothing_and_double_nothing(desk: Desk) -> None:
    """Law: purchases and the registration at the same time end with each applied once, at last by the drain."""
    rounds, sales = 6, 4
    desk.product.tell_time(NOON)
    for number in range(rounds):
        barrier = Barrier(sales + 1)

        def work(sale: int, number: int = number, barrier: Barrier = barrier) -> int:
            with httpx.Client(base_url=desk.client.base_url, headers=desk.headers, timeout=60) as client:
                barrier.wait()
                if sale == sales:
                    return client.put(f"/v1/members/C{number}", json={}).status_code
                told = {"transaction_id": f"T{number}-{sale}", "customer_id": f"C{number}", "amount": "100.00"}
                return max(client.post("/v1/purchases", json=told).status_code for _ in range(2))

        with ThreadPoolExecutor(sales + 1) as pool:
            assert {*pool.map(work, range(sales + 1))} <= {200, 201, 202}
    minute = NOON + timedelta(minutes=1)
    drain(minute, 100)

    assert {state for state, _ in desk.states().values()} == {"applied"}
    assert [desk.product.standing(f"C{number}", minute) for number in range(rounds)] == [(sales * 10, 0, 0)] * rounds
    assert desk.product.wrong() == {}


@settings(suppress_health_check=list(HealthCheck), max_examples=HISTORIES // 5)
@given(seed=st.integers(0, 2**32))
def test_any_order_ends_alike(line: Line, databases: Databases, tmp_path: Path, seed: int) -> None:
    """Law: purchases, refunds and registrations in any order, told again, end with what was bought in time."""
    chance = random.Random(seed)
    customers = ["C1", "C2", "C3"]
    registered = {each: NOON + timedelta(days=chance.randint(0, 2 * DAYS)) for each in customers}
    happened: list[tuple[datetime, tuple[Any, ...]]] = [(at, ("register", each)) for each, at in registered.items()]
    due = dict.fromkeys(customers, 0)
    for number in range(10):
        customer, amount = chance.choice(customers), chance.randint(1, 50) * 10
        at = NOON + timedelta(days=chance.randint(0, 2 * DAYS), seconds=1)
        sale = ("buy", f"T{number}", customer, at, amount)
        refunded = chance.choice([0, 0, amount, amount // 20 * 10])  # whole points, so that no carry shows
        if registered[customer] < at + timedelta(days=DAYS):
            due[customer] += (amount - refunded) // 10
        tellings = [sale] * chance.choice([1, 1, 2])
        tellings += [("refund", f"R{number}", f"T{number}", at, refunded)] * chance.choice([1, 2]) if refunded else []
        happened += [(at + timedelta(days=chance.choice([0, 0, 1, DAYS])), each) for each in tellings]
    happened.sort(key=lambda each: each[0])
    with databases() as patch:
        desk = opened(line, patch, tmp_path)
        for now, told in happened:
            match told:
                case "register", customer:
                    desk.register(customer, now)
                case "buy", number, customer, at, amount:
                    desk.buy(number, customer, now, f"{amount}", occurred_at=at.isoformat())
                case _, number, sale, _, amount:
                    desk.refund(number, sale, now, f"{amount}")
            if chance.random() < 0.2:
                drain(now, 100)
        end = NOON + timedelta(days=4 * DAYS)
        drain(end, 100)

        assert {each: sum(desk.product.standing(each, end)) for each in customers} == due
        assert desk.product.wrong() == {}

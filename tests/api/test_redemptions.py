"""Redemptions and vouchers over HTTP: nothing is spent twice."""

import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from loyalty.api.vouchers import MISSES_OF_CUSTOMER, MISSES_OF_KEY
from loyalty.rules.voucher_codes import ALPHABET, BODY_LENGTH, check_symbol
from tests.api.conftest import NOW, Server

CLIENTS = 64


@pytest.fixture
def rich(till: httpx.Client, customer: str) -> str:
    """A customer with 100 points."""
    sale = {"transaction_id": f"T-{customer}", "customer_id": customer, "amount": "1000.00"}
    assert till.post("/v1/purchases", json=sale).json()["balance"] == 100
    return customer


@pytest.fixture
def voucher(api: Server, rich: str) -> str:
    """The code of a voucher of theirs, good for ten days."""
    body = "".join(random.choices(ALPHABET, k=BODY_LENGTH))
    code = body + check_symbol(body)
    member = "from loyalty.members where customer_id = :id"
    api.execute(
        f"insert into loyalty.voucher_codes (code, member_no) select :code, member_no {member}", code=code, id=rich
    )
    api.execute(
        "insert into loyalty.vouchers"
        " (code, member_no, tier_no, from_tier_no, amount, currency, issued_at, expires_at, period)"
        " select :code, member_no, 2, 1, 1000, 'USD', :now, cast(:now as timestamptz) + interval '10 days',"
        " '2026-02-01'"
        f" {member}",
        code=code,
        id=rich,
        now=NOW,
    )
    return code


def _spend(till: httpx.Client, customer: str, points: int, key: str | None = None, **more: Any) -> tuple[int, Any]:
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    answer = till.post("/v1/redemptions", json={"customer_id": customer, "points": points, **more}, headers=headers)
    return answer.status_code, answer.json()


def _told(made: Any, **expected: Any) -> bool:
    return bool({name: made[name] for name in expected} == expected)


def test_points_are_spent_once_by_their_key(till: httpx.Client, rich: str) -> None:
    """Law: the same key and body gets the first answer; without a key nothing is spent; another body is refused."""
    key = uuid.uuid4().hex
    first = _spend(till, rich, 40, key, reference="order 1")
    assert first[0] == 201
    assert _told(first[1], points=40, balance=60, available=60, state="committed", held_until=None)
    assert _told(first[1], worth="0.40", currency="USD")
    assert _spend(till, rich, 40, key, reference="order 1") == first
    assert _spend(till, rich, 41, key, reference="order 1")[1]["type"] == "/problems/other-content"
    missing = till.post("/v1/redemptions", json={"customer_id": rich, "points": 40})
    assert (missing.status_code, missing.json()["type"]) == (400, "/problems/idempotency-key-missing")
    assert till.get(f"/v1/members/{rich}").json()["balance"] == 60


def test_more_than_there_is_is_refused(till: httpx.Client, rich: str) -> None:
    """Law: too few points are a problem of their own, the same again once more have come; 404 without a member."""
    key = uuid.uuid4().hex
    status, problem = _spend(till, rich, 101, key)
    assert (status, problem["type"], problem["detail"]) == (
        409,
        "/problems/too-few-points",
        "too few points: 100 are available",
    )
    till.post("/v1/purchases", json={"transaction_id": f"T2-{rich}", "customer_id": rich, "amount": "10.00"})
    assert _spend(till, rich, 101, key) == (status, problem)
    assert _spend(till, rich, 101)[0] == 201
    assert _spend(till, "nobody", 1)[0] == 404


def test_a_quote_changes_nothing(till: httpx.Client, rich: str) -> None:
    """Law: a quote says what points are worth and whether they can be spent; the balance stays."""
    quoted = till.post("/v1/redemptions/quote", json={"customer_id": rich, "points": 50}).json()
    assert _told(quoted, worth="0.50", currency="USD", balance=100, available=100, refused=None)
    refused = till.post("/v1/redemptions/quote", json={"customer_id": rich, "points": 500}).json()
    assert refused["refused"] == "too few points: 100 are available"
    assert till.get(f"/v1/members/{rich}").json()["balance"] == 100


def test_a_hold_is_committed_or_given_back(till: httpx.Client, rich: str) -> None:
    """Law: held points are gone from the balance; commit spends them, cancel gives them back, each again alike."""
    _, held = _spend(till, rich, 30, hold=True)
    assert _told(held, state="held", balance=70)
    assert held["held_until"] > f"{NOW:%Y-%m-%dT%H:%M}"
    address = f"/v1/redemptions/{held['redemption_id']}"
    committed = [till.post(f"{address}/commit") for _ in range(2)]
    assert [answer.status_code for answer in committed] == [200, 200]
    assert till.get(address).json()["state"] == "committed"
    cancelled = [till.post(f"{address}/cancel").json() for _ in range(2)]
    assert [_told(each, state="cancelled", balance=100) for each in cancelled] == [True, True]
    assert till.post(f"{address}/commit").status_code == 409
    assert [till.post(f"/v1/redemptions/{odd}/cancel").status_code for odd in ("999999", "x")] == [404, 404]


def test_no_part_of_a_redemption_is_cancelled(till: httpx.Client, rich: str) -> None:
    """Law: who asks for a part to be committed or cancelled is refused, and not given the whole."""
    _, held = _spend(till, rich, 30, hold=True)
    for act in ("commit", "cancel"):
        refused = till.post(f"/v1/redemptions/{held['redemption_id']}/{act}", json={"points": 10})
        assert (refused.status_code, refused.json()["errors"]) == (
            422,
            [{"pointer": "/points", "detail": "no such field"}],
        )
    assert till.get(f"/v1/redemptions/{held['redemption_id']}").json()["state"] == "held"
    assert till.post(f"/v1/redemptions/{held['redemption_id']}/cancel", json={}).json()["state"] == "cancelled"


def test_a_balance_is_spent_once_by_many(api: Server, rich: str) -> None:
    """Law: of 64 clients who spend 10 of 100 points at the same time, exactly ten succeed."""
    statuses = _at_once(api, lambda till, _: _spend(till, rich, 10)[0])
    assert sorted(statuses) == [201] * 10 + [409] * (CLIENTS - 10)
    with api.caller() as till:
        assert _told(till.get(f"/v1/members/{rich}").json(), balance=0, available=0, owed=0)


def test_a_voucher_is_used_once_by_many(api: Server, voucher: str) -> None:
    """Law: of 64 clients who redeem one voucher at the same time, exactly one succeeds."""
    statuses = _at_once(api, lambda till, _: till.post(f"/v1/vouchers/{voucher}/redeem").status_code)
    assert sorted(statuses) == [200] + [409] * (CLIENTS - 1)


def test_a_voucher_is_held_by_one_checkout(till: httpx.Client, rich: str, voucher: str) -> None:
    """Law: a held voucher is used by its reference alone, and by anybody once it is released; typing is forgiven."""
    address = f"/v1/vouchers/{voucher}"
    shown = till.post(f"{address}/validate").json()
    assert _told(shown, code=voucher, customer_id=rich, state="issued", amount="10.00", currency="USD")
    assert till.post(f"{address}/hold", json={"reference": "till 3", "minutes": 5}).json()["state"] == "held"
    refused = till.post(f"{address}/redeem", json={"reference": "till 4"})
    assert (refused.status_code, refused.json()["detail"]) == (409, "the voucher is held for another checkout")
    assert till.post(f"{address}/release", json={"reference": "till 3"}).json()["state"] == "issued"
    typed = f"{voucher[:4]}-{voucher[4:8]}-{voucher[8:]}".lower()
    assert till.post(f"/v1/vouchers/{typed}/redeem", json={"customer_id": rich}).json()["state"] == "redeemed"
    again = till.post(f"{address}/redeem")
    assert (again.status_code, again.json()["detail"]) == (409, "the voucher is redeemed")


def test_codes_cant_be_guessed_for_long(api: Server, rich: str, voucher: str) -> None:
    """Law: whoever names wrong codes waits, by customer and by key; another's voucher is a wrong code."""
    with api.caller("vouchers", "redemptions") as guesser:

        def guess(customer: str | None, code: str = "0000000000000") -> int:
            return guesser.post(f"/v1/vouchers/{code}/redeem", json={"customer_id": customer}).status_code

        other = f"{rich}-2"
        assert guess(other, voucher) == 404
        assert [guess(other) for _ in range(int(MISSES_OF_CUSTOMER))] == [404] * (int(MISSES_OF_CUSTOMER) - 1) + [429]
        assert guess(rich, voucher) == 200
        statuses = [guess(None) for _ in range(int(MISSES_OF_KEY))]
        assert (statuses[0], statuses[-1]) == (404, 429)
        waits = guesser.post(f"/v1/vouchers/{voucher}/validate")
        assert (waits.status_code, waits.json()["detail"]) == (429, "too many codes that are none")
        assert int(waits.headers["retry-after"]) > 0


def _at_once(api: Server, do: Any) -> list[int]:
    """Do something by 64 clients at the same time, each on a connection of its own that is open already."""
    start, key = threading.Barrier(CLIENTS), api.key("all")

    def client(number: int) -> int:
        with httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as till:
            till.get("/problems")
            start.wait()
            return int(do(till, number))

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(client, range(CLIENTS)))

"""Purchases and refunds over HTTP: once each, in any order, with the first answer again."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.conftest import Server


def _buy(till: httpx.Client, name: str, customer: str, amount: object = "100.00", **more: Any) -> tuple[int, Any]:
    answer = till.post(
        "/v1/purchases", json={"transaction_id": name, "customer_id": customer, "amount": amount, **more}
    )
    return answer.status_code, answer.json()


def _refund(till: httpx.Client, name: str, sale: str, amount: object = "50.00", **more: Any) -> tuple[int, Any]:
    answer = till.post(
        "/v1/refunds", json={"transaction_id": name, "original_transaction_id": sale, "amount": amount, **more}
    )
    return answer.status_code, answer.json()


def _posted(name: str, points: int, balance: int) -> dict[str, Any]:
    return {"transaction_id": name, "points_posted": points, "balance": balance, "tier": "Bronze"}


def test_a_purchase_posts_once_and_is_answered_alike(till: httpx.Client, customer: str) -> None:
    """Law: 201, then 200 with the first answer, however the same is written, and whatever has happened since."""
    sale = f"T-{customer}"
    first = _buy(till, sale, customer, "99.90", occurred_at="2026-03-02T10:00:00+01:00")
    assert first == (201, _posted(sale, 9, 9))
    assert _buy(till, f"{sale}-2", customer, "0.10") == (201, _posted(f"{sale}-2", 1, 10))
    again = [
        _buy(till, sale, customer, "99.90", occurred_at="2026-03-02T10:00:00+01:00"),
        _buy(till, sale, customer, 99.9, occurred_at="2026-03-02T09:00:00"),
        _buy(till, sale, customer, "099.9000", occurred_at="2026-03-02T09:00:00Z", source="default"),
    ]
    assert again == [(200, first[1])] * 3
    status, problem = _buy(till, sale, customer, "99.91")
    assert (status, problem["type"]) == (409, "/problems/other-content")
    assert _buy(till, sale, customer, "99.90", source="web") == (201, _posted(sale, 9, 19))


def test_the_same_at_once_is_one(api: Server, customer: str) -> None:
    """Law: of equal purchases that come at the same time one is recorded (201), the others get its answer (200)."""
    start, key = threading.Barrier(16), api.key("all")

    def buy(number: int) -> tuple[int, str]:
        with httpx.Client(base_url=api.url, headers={"Authorization": f"Bearer {key}"}) as till:
            till.get("/healthz")
            start.wait()
            status, told = _buy(till, f"T-{customer}-{number % 2}", customer)
            return status, json.dumps(told)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(buy, range(16)))
    assert sorted(status for status, _ in answers) == [200] * 14 + [201] * 2
    assert len({told for _, told in answers}) == 2
    assert sorted(json.loads(told)["balance"] for told in {told for _, told in answers}) == [10, 20]


def test_refunds_take_back_in_any_order(till: httpx.Client, api: Server, customer: str) -> None:
    """Law: a refund before its sale waits (202), the sale applies it, then it is answered with its result (200); the
    sale's balance is the one after both, its points are its own.
    """  # fmt: skip
    sale = f"T-{customer}"
    waiting = {"transaction_id": f"{sale}-R1", "state": "waiting", "reason": "the sale is not recorded yet"}
    assert [_refund(till, f"{sale}-R1", sale) for _ in range(2)] == [(202, waiting)] * 2
    status, problem = _refund(till, f"{sale}-R1", sale, "49.00")
    assert (status, problem["type"]) == (409, "/problems/other-content")
    assert [_buy(till, sale, customer) for _ in range(2)] == [
        (201, _posted(sale, 10, 5)),
        (200, _posted(sale, 10, 5)),
    ]
    assert till.get(f"/v1/members/{customer}").json()["balance"] == 5
    assert _refund(till, f"{sale}-R1", sale) == (200, _posted(f"{sale}-R1", -5, 5))
    assert _refund(till, f"{sale}-R2", sale, "30.00") == (201, _posted(f"{sale}-R2", -3, 2))
    status, problem = _refund(till, f"{sale}-R3", sale, "20.01")
    assert (status, problem["detail"]) == (409, "more would be refunded than was paid")
    assert _refund(till, f"{sale}-R3", sale, "20.00") == (201, _posted(f"{sale}-R3", -2, 0))


def test_what_lacks_a_rate_waits_for_it(till: httpx.Client, api: Server, customer: str, tmp_path: Any) -> None:
    """Law: a purchase in a currency without a rate is kept with that reason; once the rate is there, it is applied."""
    sale = f"T-{customer}"
    reason = "there is no exchange rate for the day of the sale"
    waiting = {"transaction_id": sale, "state": "waiting", "reason": reason}
    given = {"currency": "CHF", "occurred_at": "2026-02-27T12:00:00Z"}
    assert [_buy(till, sale, customer, **given) for _ in range(2)] == [(202, waiting)] * 2
    rates = tmp_path / "rates.csv"
    rates.write_text("date,currency,rate\n2026-02-27,CHF,1.10\n")
    assert api.command("import", "rates", str(rates)).returncode == 0
    assert _buy(till, sale, customer, **given) == (200, _posted(sale, 11, 11))


def test_what_a_file_recorded_is_known(till: httpx.Client, api: Server, customer: str, tmp_path: Any) -> None:
    """Law: a sale and a refund that a file has recorded are known (200) when told, and earn nothing again; told with
    other content they are refused.
    """  # fmt: skip
    sale, refund, at = f"T-{customer}", f"R-{customer}", "2026-03-02T10:00:00Z"
    file = tmp_path / "sales.csv"
    file.write_text(
        "transaction_id,customer_id,occurred_at,amount,kind,original_transaction_id\n"
        f"{sale},{customer},{at},100.00,sale,\n{refund},{customer},{at},50.00,refund,{sale}\n"
    )
    assert api.command("import", "transactions", str(file)).returncode == 0
    assert [_buy(till, sale, customer, occurred_at=at) for _ in range(2)] == [(200, _posted(sale, 0, 0))] * 2
    assert [_refund(till, refund, sale, occurred_at=at) for _ in range(2)] == [(200, _posted(refund, 0, 0))] * 2
    assert _buy(till, f"{sale}-2", customer) == (201, _posted(f"{sale}-2", 10, 10))
    file.write_text(file.read_text().replace("R-", "R2-").replace("T-", "T2-"))
    assert api.command("import", "transactions", str(file)).returncode == 0
    assert [
        _buy(till, f"T2-{customer}", customer, "99.00")[0],
        _refund(till, f"R2-{customer}", f"T2-{customer}", "1")[0],
    ] == [
        409,
        409,
    ]


def test_an_idempotency_key_is_for_one_purchase(till: httpx.Client, customer: str) -> None:
    """Law: the key may be sent along; it is refused with another purchase, and a repeat is answered as without it."""
    till.headers["Idempotency-Key"] = f"key-{customer}"
    try:
        sale = f"T-{customer}"
        assert [_buy(till, sale, customer) for _ in range(2)] == [
            (201, _posted(sale, 10, 10)),
            (200, _posted(sale, 10, 10)),
        ]
        status, problem = _buy(till, f"{sale}-2", customer)
        assert (status, problem["type"]) == (409, "/problems/other-content")
    finally:
        del till.headers["Idempotency-Key"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "-1.00"),
        ("amount", "1.001"),
        ("amount", "1e3000"),
        ("amount", "1e2"),
        ("amount", "1_000"),
        ("amount", " 1"),
        ("amount", "\u0661"),
        ("amount", "NaN"),
        ("amount", "1000000000000000"),
        ("amount", None),
        ("amount", True),
        ("occurred_at", "yesterday"),
        ("occurred_at", 1_700_000_000),
        ("occurred_at", "1700000000"),
        ("occurred_at", "9999-12-31T23:59:59-23:59"),
        ("occurred_at", "0001-01-01T00:00:00+23:59"),
        ("occurred_at", "1989-12-31T23:00:00Z"),
        ("occurred_at", "2026-03-05T12:00:00Z"),
        ("currency", "XXX"),
        ("currency", "usd"),
        ("tax", "100.01"),
        ("transaction_id", ""),
        ("transaction_id", " T"),
        ("transaction_id", 7),
        ("source", "x" * 101),
        ("unknown", 1),
    ],
)
def test_what_cant_be_is_refused_by_its_field(till: httpx.Client, customer: str, field: str, value: object) -> None:
    """Law: a value that can't be is 422, its field named, and nothing is recorded."""
    sale = {"transaction_id": f"T-{customer}", "customer_id": customer, "amount": "100.00", field: value}
    refused = till.post("/v1/purchases", json=sale)
    assert refused.status_code == 422
    wanted = "/amount" if field == "tax" else f"/{field}"
    assert {error["pointer"] for error in refused.json()["errors"]} == {wanted}
    assert till.get(f"/v1/members/{customer}").status_code == 404


def test_an_amount_is_the_same_in_a_file(till: httpx.Client, api: Server, customer: str, tmp_path: Any) -> None:
    """Law: what is an amount over HTTP, as text, is one in a file, and what is none is none."""
    taken = ["5", "5.5", "5.00", "005.5000", "5.500000", "0", "0.00"]
    refused = ["1e2", "1E2", "5e-1", "+5", "-5", "5.", ".5", "5.001", "1_000", "1,000", "5 0", "0x5", "$5", "NaN", ""]
    words = [*taken, *refused]
    file = tmp_path / "sales.csv"
    rows = [f'F{at}-{customer},{customer},2026-03-02,"{word}"' for at, word in enumerate(words)]
    file.write_text("\n".join(["transaction_id,customer_id,occurred_at,amount", *rows]))
    assert api.command("import", "transactions", str(file)).returncode == 0
    wrong = [line.split(",")[:2] for line in file.with_name("sales.rejected.csv").read_text().splitlines()[1:]]
    assert wrong == [[str(2 + at), "wrong amount"] for at, word in enumerate(words) if word in refused]
    told = [_buy(till, f"H{at}-{customer}", customer, word) for at, word in enumerate(words)]
    assert [status for status, _ in told] == [201] * len(taken) + [422] * len(refused)
    as_text = 'must be a decimal number as text, such as "99.90"'
    errors = {word: said["errors"] for word, (status, said) in zip(words, told, strict=True) if status == 422}
    assert errors["1e2"] == errors["+5"] == errors["5."] == errors[".5"] == [{"pointer": "/amount", "detail": as_text}]


def test_who_was_erased_buys_nothing(till: httpx.Client, api: Server, customer: str) -> None:
    """Law: a late purchase can't bring an erased person back."""
    till.put(f"/v1/members/{customer}", json={})
    api.execute("update loyalty.members set erased_at = enrolled_at where customer_id = :id", id=customer)
    status, problem = _buy(till, f"T-{customer}", customer)
    assert (status, problem["detail"]) == (409, "the member is erased")

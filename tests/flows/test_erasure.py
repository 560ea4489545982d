"""A person erased after a full little life is found nowhere: not in the database, the outbox folder or Prefect's."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import URL, text

from loyalty import clock, monthly
from loyalty.api.app import application
from loyalty.db import api_keys, expiry, identity, verify
from loyalty.db.engine import connect, transaction
from loyalty.db.identity import PlatformId
from loyalty.db.imports import import_members, import_transactions
from loyalty.messages import delivery
from loyalty.monthly import Terms
from loyalty.rules.periods import parse_period
from loyalty.settings import settings
from tests.flows.conftest import Command, Prefect

WHO = "kundin-77-314"
PERSON = {
    "email": "Zaphodia.Beeble@Example.org",
    "phone": "+44 20 7946 0731",
    "first_name": "Zaphodia",
    "last_name": "Quetzalcoatlus-Österberg",
    "birthday": "1971-07-17",
    "email_consent": True,
    "sms_consent": True,
}
WORDS = (
    WHO,
    *(str(PERSON[name]) for name in ("email", "phone", "first_name", "last_name", "birthday")),
    "+442079460731",
)

BESIDE = (
    "suppressions adjustments referrals traits check_ins visits segments campaigns campaign_awards counts_for_limits"
    " deliveries outcomes merges"
).split()
"""What an export has beside the books: lived through in test_erasure_beside.py."""


@dataclass(frozen=True)
class Http:
    """A caller of the API, which runs in this process."""

    key: str

    def __call__(self, method: str, path: str, body: Any = None, again: str | None = None) -> httpx.Response:
        """Send one request; `again` is its idempotency key."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=application)
            headers = {"Authorization": f"Bearer {self.key}"} | ({"Idempotency-Key": again} if again else {})
            async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as client:
                return await client.request(method, path, json=body)

        return asyncio.run(send())


def caller(*scopes: str) -> Http:
    """A caller whose key has these scopes."""
    with transaction() as connection:
        return Http(api_keys.create(connection, uuid.uuid4().hex, scopes, at=datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.fixture
def http(shop: URL) -> Http:
    """A caller, on the shop's database, who may do all."""
    return caller("all")


def live(http: Http, close: Command) -> None:
    """Enrolled, known to a platform, buying, upgraded with a voucher, proposed for Gold, written to, spending."""
    assert http("PUT", f"/v1/members/{WHO}", PERSON, "put").status_code == 201
    with transaction() as connection:
        member = identity.find_member(connection, email=str(PERSON["email"]))
        assert member is not None
        identity.know_by(connection, member, PlatformId("shop", f"gid-{WHO}"))
    for number, (day, amount) in enumerate(
        [("2026-01-10", "1300.00"), ("2026-02-10", "2600.00"), ("2026-03-10", "90")]
    ):
        sale = {"transaction_id": f"P{number}", "customer_id": WHO, "occurred_at": f"{day}T12:00Z", "amount": amount}
        assert http("POST", "/v1/purchases", sale).status_code == 201
    refund = {"transaction_id": "R1", "original_transaction_id": "never", "customer_id": WHO, "amount": "1.00"}
    assert http("POST", "/v1/refunds", refund).status_code == 202
    close_here("2026-01")
    assert close("close", "2026-02").returncode == 0
    assert in_files(settings().home_folder, ("Zaphodia",))  # the close has delivered its messages
    spend = {"customer_id": WHO, "points": 10, "reference": "order 1"}
    assert http("POST", "/v1/redemptions", spend, "spend").status_code == 201
    held = spend | {"hold": True}
    assert http("POST", "/v1/redemptions", held, "hold").status_code == 201
    with transaction() as connection:
        note = {"note": f"ask {PERSON['email']} first"}
        connection.execute(text("update loyalty.reviews set note = :note"), note)
        connection.execute(text("update loyalty.approvals set note = :note"), note)


def close_here(month: str) -> None:
    """Close a month in this process."""
    monthly.close_month(parse_period(month), Terms())


def in_database(words: tuple[str, ...]) -> dict[str, set[str]]:
    """The tables of which some row has a word, as text or in bytes."""
    forms = {word: (word.lower(), word.encode().hex(), word.lower().encode().hex()) for word in words}
    found: dict[str, set[str]] = {}
    with connect() as connection:
        query = "select relname from pg_class where relnamespace = 'loyalty'::regnamespace and relkind in ('r', 'p')"
        for table in connection.scalars(text(query)).all():
            rows = " ".join(connection.scalars(text(f"select t::text from loyalty.{table} as t"))).lower()
            for word, written in forms.items():
                if any(form in rows for form in written):
                    found.setdefault(word, set()).add(table)
    return found


def in_files(folder: Path, words: tuple[str, ...]) -> dict[str, list[str]]:
    """The files below a folder that have a word."""
    said = {str(path): path.read_bytes().lower() for path in folder.rglob("*") if path.is_file()}
    return {word: hits for word in words if (hits := [p for p, b in said.items() if word.lower().encode() in b])}


def is_whole(document: dict[str, Any]) -> None:
    """An export has fields, identifiers, consents, books, vouchers, messages, reviews, and what events said."""
    assert {name: len(document[name]) for name in document if isinstance(document[name], list)} == {
        "consents": 1,
        "entries": 4,
        "events": 4,
        "gifts": 0,
        "grants": 0,
        "identifiers": 3,
        "lots": 2,
        "members": 1,
        "messages": 3,
        "redemptions": 2,
        "reviews": 1,
        "statements": 2,
        "tier_moves": 1,
        "transactions": 3,
        "vouchers": 1,
        "consent_events": 2,
        **dict.fromkeys(BESIDE, 0),
    }
    assert sum(entry["points"] for entry in document["entries"]) == document["members"][0]["balance"]
    assert [document["members"][0][name] for name in PERSON] == list(PERSON.values())


def late_events(http: Http, folder: Path) -> list[Any]:
    """What may still come about the person, and what is said of it."""
    sale = {"transaction_id": "P9", "customer_id": WHO, "amount": "5.00"}
    told = [
        http("POST", "/v1/purchases", sale),
        http("POST", "/v1/purchases", sale),
        http("PUT", f"/v1/members/{WHO}", PERSON),
        http("DELETE", f"/v1/members/{WHO}"),
        http("POST", "/v1/members/lookup", {"email": PERSON["email"]}),
        http("POST", "/v1/members/lookup", {"platform": "shop", "platform_id": f"gid-{WHO}"}),
        http("POST", "/v1/redemptions", {"customer_id": WHO, "points": 1}, "late"),
    ]
    members, sales = folder / "members.csv", folder / "sales.csv"
    members.write_text(f"customer_id,email\n{WHO},{PERSON['email']}\n")
    sales.write_text(f"transaction_id,customer_id,occurred_at,amount\nT9,{WHO},2026-03-01,9\n")
    return [
        *((each.status_code, each.json()["detail"]) for each in told),
        import_members(members).rejected,
        import_transactions(sales).rejected,
    ]


def test_nothing_is_left_of_who_was_erased(
    http: Http, through_prefect: Command, prefect_server: Prefect, tmp_path: Path
) -> None:
    """Law (15): identity gone everywhere, points forfeited, books sound; late events are refused without a trace."""
    live(http, through_prefect)
    home = settings().home_folder
    before = in_database(WORDS)
    assert set(before) == set(WORDS)
    assert before[WHO] >= {"members", "inbox", "answers"}
    assert in_files(home, ("Zaphodia", "7946"))
    document = http("GET", f"/v1/members/{WHO}/export").json()
    assert caller("members:read")("GET", f"/v1/members/{WHO}/export").status_code == 403

    done = http("DELETE", f"/v1/members/{WHO}")

    assert (done.status_code, done.json()["points_forfeited"]) == (200, document["members"][0]["balance"] + 10)
    is_whole(document)
    erased = (409, "the member is erased")
    nobody = (404, "there is no member with this customer_id")
    assert late_events(http, tmp_path) == [erased, erased, erased, erased, erased, erased, nobody, 1, 1]
    close_here("2026-03")
    expiry.expire(clock.now())
    delivery.deliver(clock.now())

    assert in_database(WORDS) == {}
    assert in_files(home, WORDS) == {}
    assert in_files(prefect_server.home, WORDS) == {}
    with connect() as connection:
        left = connection.execute(text("select balance from loyalty.accounts where member_no = 5")).scalar_one()
        assert (left, {check.name for check in verify.verify() if not check.holds}) == (0, set())

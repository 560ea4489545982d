"""Triggers and adjustments over HTTP and by command: the same law as in the library, with clear problems."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import URL

from loyalty.db import engine, rules_versions
from tests.api.conftest import NOW, Server, new_database, started

KEYS = {
    "earning": "on_purchase",
    "registration_points": 50,
    "profile_points": 20,
    "referral_points": 30,
    "referred_points": 10,
    "share_points": 3,
    "check_in_points": 4,
}


@pytest.fixture(scope="module")
def service(server: URL, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose rules give points for more than purchases."""
    with new_database(server, template) as url:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOYALTY_DATABASE_URL", url.render_as_string(hide_password=False))
            with engine.transaction() as connection:
                _, rules = rules_versions.in_force(connection, NOW.date().replace(day=1))
                given = rules.model_copy(update=KEYS)
                rules_versions.install(connection, given, from_period=None, by="test", at=NOW)
            engine.dispose()
        with started(url, tmp_path_factory.mktemp("triggers")) as running:
            yield running


@pytest.fixture(scope="module")
def app(service: Server) -> Iterator[httpx.Client]:
    """A caller who may do everything."""
    with service.caller() as client:
        yield client


def test_triggers_over_http(service: Server, app: httpx.Client) -> None:
    """Law: each gives its points once, a repeat under its key gets the first answer, another is told so."""
    ada = {
        "email": "a@example.com",
        "phone": "+15555550101",
        "first_name": "A",
        "last_name": "L",
        "birthday": "1990-12-10",
    }
    enrolled = app.put("/v1/members/A1", json=ada | {"card": "4111 1111"})
    app.put("/v1/members/A2", json={"device": "d1"})
    key = {"Idempotency-Key": uuid.uuid4().hex}
    shared = [app.post("/v1/shares", json={"customer_id": "A1", "channel": "x"}, headers=key) for _ in range(2)]
    again = app.post("/v1/shares", json={"customer_id": "A1", "channel": "x"})
    odd = app.post("/v1/shares", json={"customer_id": "A1", "channel": "radio"})
    made = app.post("/v1/referrals", json={"referrer": "A1", "referred": "A2"})
    own = app.post("/v1/referrals", json={"referrer": "A1", "referred": "A1"})
    bought = app.post("/v1/purchases", json={"transaction_id": "T1", "customer_id": "A2", "amount": "100.00"})

    assert (enrolled.status_code, enrolled.json()["balance"]) == (201, 70)
    assert [(each.status_code, each.json()) for each in shared] == [(201, {"points_posted": 3, "balance": 73})] * 2
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-given")
    assert (odd.status_code, odd.json()["errors"][0]["pointer"]) == (422, "/channel")
    assert (made.status_code, made.json()) == (201, {"referral_id": "1", "referrer_points": 30, "referred_points": 10})
    assert (own.status_code, own.json()["detail"]) == (409, "a member can't refer themselves")
    assert (bought.json()["points_posted"], bought.json()["balance"]) == (10, 70)
    assert app.get("/v1/members/A1").json()["balance"] == 103
    assert service.execute("select count(*) from loyalty.member_traits") == [(2,)]
    with service.caller("purchases") as till:
        assert till.post("/v1/shares", json={"customer_id": "A1", "channel": "x"}).status_code == 403


def test_a_location_by_command_and_a_check_in_over_http(service: Server, app: httpx.Client, tmp_path: Path) -> None:
    """Law: the code that the command prints is the one that the service takes; a forged one is invalid."""
    app.put("/v1/members/B1", json={})
    assert service.command("locations", "add", "Berlin 3").stdout == "location 1 is known\n"
    code = service.command("locations", "qr", "Berlin 3", "--day", f"{NOW:%Y-%m-%d}").stdout.strip()
    drawn = service.command("locations", "qr", "Berlin 3", "--out", str(tmp_path / "code.svg"))
    missing = service.command("locations", "qr", "Paris", "--out", str(tmp_path / "code.png"))
    done = app.post("/v1/check-ins", json={"customer_id": "B1", "code": code})
    again = app.post("/v1/check-ins", json={"customer_id": "B1", "code": code})
    forged = app.post(
        "/v1/check-ins", json={"customer_id": "B1", "code": f"{code[:9]}{'BA'[code[9] == 'B']}{code[10:]}"}
    )

    assert (drawn.returncode, (tmp_path / "code.svg").read_text().startswith("<?xml")) == (0, True)
    assert (missing.returncode, missing.stderr) == (
        1,
        "loyalty: there is no location of that name: `loyalty locations list` shows them\n",
    )
    told = {"points_posted": 4, "balance": 54, "location": "Berlin 3", "day": f"{NOW:%Y-%m-%d}"}
    assert (done.status_code, done.json()) == (201, told)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-given")
    assert (forged.status_code, forged.json()["errors"]) == (
        422,
        [{"pointer": "/code", "detail": "not the code of a location"}],
    )


def test_adjustments_over_http_and_by_command(service: Server, app: httpx.Client) -> None:
    """Law (10, 11): the key must be there and counts once; what waits is approved by command, by another person."""
    app.put("/v1/members/C1", json={})
    body = {"customer_id": "C1", "points": 100, "reason": "goodwill", "author": "anna"}
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    keyless = app.post("/v1/adjustments", json=body)
    posted = [app.post("/v1/adjustments", json=body, headers=headers) for _ in range(2)]
    waits = app.post("/v1/adjustments", json=body | {"points": -600}, headers={"Idempotency-Key": uuid.uuid4().hex})
    number = str(waits.json()["approval"])
    member_no = json.loads(service.command("member", "C1", "--json").stdout)["member_no"]
    own = service.command("approvals", "approve", number, "--by", "Anna")
    decided = service.command("approvals", "approve", number, "--by", "bert")
    by_hand = service.command("adjust", "C1", "+5", "--reason", "mistake", "--by", "cyd", "--json")

    assert (keyless.status_code, keyless.json()["type"]) == (400, "/problems/idempotency-key-missing")
    assert [(each.status_code, each.json()["adjustment_id"], each.json()["state"]) for each in posted] == [
        (201, "1", "posted")
    ] * 2
    assert (waits.status_code, waits.json()["state"]) == (202, "waiting")
    assert own.stderr.splitlines()[-1] == "loyalty: who asked may not decide: it takes a second person"
    told = f"approval {number} approved: -600 points posted to M{member_no}\n"
    assert (decided.returncode, decided.stdout) == (0, told)
    assert app.get("/v1/adjustments/2").json()["approved_by"] == "bert"
    assert app.get("/v1/adjustments/77").status_code == 404
    assert json.loads(by_hand.stdout)["state"] == "posted"
    assert app.get("/v1/members/C1").json()["balance"] == 50 + 100 - 600 + 5
    assert f"  M{member_no}  " in service.command("adjustments").stdout


def test_triggers_by_command(service: Server) -> None:
    """Law: they are listed, simulated without a trace, run for the day, and told by hand."""
    listed = json.loads(service.command("triggers", "list", "--json").stdout)
    period = f"{NOW:%Y-%m}"
    simulated = [
        json.loads(service.command("triggers", "simulate", kind, "--period", period, "--points", "9", "--json").stdout)
        for kind in ("registration", "birthday")
    ]
    ran = service.command("triggers", "run")
    shared = service.command("triggers", "share", "A9", "x")

    assert {row["trigger"]: row["points"] for row in listed}["birthday"] == 0
    assert [(row["kind"], row["points"]) for row in simulated] == [
        ("registration", 9 * simulated[0]["members"]),
        ("birthday", 9 * simulated[1]["members"]),
    ]
    assert (ran.returncode, ran.stdout.split(": ", 1)[0].startswith("2026-02-24 to 2026-03-03")) == (0, True)
    assert (shared.returncode, shared.stderr) == (1, "loyalty: there is no member with this customer_id\n")
    assert service.command("verify").returncode == 0

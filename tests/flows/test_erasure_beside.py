"""A person also adjusted, referred, drawn, written to by providers and held is erased: nothing is left of them."""

import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import URL, text

from loyalty import clock
from loyalty.api import events
from loyalty.db import (
    approvals,
    campaign_awards,
    campaigns,
    check_ins,
    inbox,
    milestones,
    rules_versions,
    segments,
    verify,
)
from loyalty.db.engine import connect, transaction
from loyalty.db.inbox import Event
from loyalty.messages import delivery
from loyalty.rules.campaign import Campaign
from loyalty.rules.programme import Velocity
from loyalty.settings import settings
from tests.flows.conftest import Command, Prefect
from tests.flows.test_erasure import BESIDE, PERSON, WHO, WORDS, Http, caller, close_here, in_database, in_files

NAMED = (*WORDS, "Zaphodia", "Quetzalcoatlus", "7946 0731", "79460731")
TRAITS = {"card": "4929 4812 0000 7777", "device": "zaphodias-telephone"}
RULES = {
    "earning": "on_purchase",
    "registration_points": 5,
    "referral_points": 30,
    "referred_points": 10,
    "check_in_points": 4,
    "visit_points": 7,
    "visits_each": 2,
    "velocity": (Velocity(kind="redeem", of="points", most=5), Velocity(kind="earn", of="events", most=50)),
}
APRIL = {"starts_on": "2026-04-01", "ends_on": "2026-04-30", "holdout": 0}


@pytest.fixture
def http(shop: URL) -> Http:
    """A caller who may do all, of a programme that gives points for all that is known."""
    with transaction() as connection:
        _, rules = rules_versions.in_force(connection, clock.now().date().replace(day=1))
        changed = rules.model_copy(update=RULES)
        rules_versions.install(connection, changed, from_period=None, by="ann", at=clock.now())
    return caller("all")


def done(answer: httpx.Response, status: int = 201) -> Any:
    """What was answered, as it should be."""
    assert answer.status_code == status, answer.text
    return answer.json()


def live(http: Http) -> list[int]:
    """A life beside purchases; the numbers of the messages to the person."""
    done(http("PUT", f"/v1/members/{WHO}", PERSON | TRAITS))
    done(http("PUT", "/v1/members/bringer", {"email": "bringer@example.org"}))
    done(http("POST", "/v1/referrals", {"referrer": "bringer", "referred": WHO, "device": "zaphodias-other-telephone"}))
    done(http("PUT", "/v1/members/brought", {}))
    done(http("POST", "/v1/referrals", {"referrer": WHO, "referred": "brought"}))
    with transaction() as connection:
        place = check_ins.add_location(connection, "Soho", clock.now())
        code = check_ins.code(connection, place, clock.now().date(), clock.now())
    done(http("POST", "/v1/check-ins", {"customer_id": WHO, "code": code}))
    given = {"customer_id": WHO, "reason": "goodwill", "author": "anna"}
    done(http("POST", "/v1/adjustments", given | {"points": 7, "note": "Zaphodia rang from +44 20 7946 0731"}, "a1"))
    done(http("POST", "/v1/adjustments", given | {"points": 9000, "note": "Mrs Quetzalcoatlus-Österberg"}, "a2"), 202)
    other = {"customer_id": "C1", "points": 1, "reason": "goodwill", "author": "anna"}
    done(http("POST", "/v1/adjustments", other | {"note": f"knows {PERSON['email']}"}, "a3"))
    for name, gives in (("extra", {"gives": "points", "points": 3}), ("offer", {"gives": "voucher", "voucher": 2})):
        keys = APRIL | {"name": name, "budget": 1000} | gives | ({"message": "For you"} if name == "offer" else {})
        asked = campaigns.ask(
            Campaign.model_validate(keys), {}, asked_by="ann", note=f"like {PERSON['email']}", at=clock.now()
        )
        assert asked.approval_no is not None
        approvals.decide(asked.approval_no, approve=True, by="ben")
    for number, day in enumerate(("2026-03-01", "2026-03-02", None)):
        sale = {"transaction_id": f"P{number}", "customer_id": WHO, "amount": "50.00"}
        done(http("POST", "/v1/purchases", sale | ({"occurred_at": f"{day}T08:00Z"} if day else {})))
    for month in ("2026-01", "2026-02", "2026-03"):
        close_here(month)
    campaign_awards.run(clock.now())
    milestones.run_day(clock.now(), clock.now())
    segments.compute(clock.now(), clock.now())
    done(http("POST", "/v1/redemptions", {"customer_id": WHO, "points": 6, "reference": "order 1"}, "held"), 202)
    assert delivery.deliver(clock.now()).sent > 0
    return told_by_providers()


def told_by_providers() -> list[int]:
    """Two messages as providers had them, and what they told: applied, and waiting with others' events."""
    with transaction() as connection:
        member = text(f"select member_no from loyalty.members where customer_id = '{WHO}'")
        number = connection.execute(member).scalar_one()
        rows = text("select message_no from loyalty.outbox where member_no = :no order by 1 limit 2")
        messages = list(connection.execute(rows, {"no": number}).scalars())
        for message, provider in zip(messages, ("sendgrid", "twilio"), strict=True):
            connection.execute(
                text(
                    "insert into loyalty.deliveries (message_no, member_no, provider, attempted_at, provider_id,"
                    " digest) values (:message, :no, :provider, :at, 'SG-77', sha256('x'))"
                ),
                {"message": message, "no": number, "provider": provider, "at": clock.now()},
            )
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+442079460731"}
    arrive("sendgrid", "E1", mailed(messages[0], "spamreport", str(PERSON["email"])))
    arrive("twilio", "E2", f"message_no={messages[1]}\n{urlencode(form)}".encode())
    two = [*json.loads(mailed(0, "open", "cora@example.org")), *json.loads(mailed(1, "bounce", str(PERSON["email"])))]
    two[1]["reason"] = f"550 no such user <{PERSON['email']}>"
    arrive("sendgrid", "E3", json.dumps(two).encode(), apply=False)
    sms = {"MessageSid": "SM2", "From": "+442079460731", "Body": f"I am {PERSON['first_name']}"}
    arrive("twilio", "E4", f"\n{urlencode(sms)}".encode(), apply=False)
    return messages


def mailed(message: int, event: str, address: str) -> bytes:
    """An event of SendGrid's, as it posts it."""
    told = {"email": address, "event": event, "message_no": str(message), "sg_event_id": f"{event}{message}"}
    return json.dumps([told | {"timestamp": int(clock.now().timestamp())}]).encode()


def arrive(platform: str, event_id: str, body: bytes, *, apply: bool = True) -> None:
    """An event comes, verified; where it is not applied the service was stopped just then."""
    event = Event(f"webhooks/{platform}", event_id, platform, b"x" * 32, body, clock.now())
    with transaction() as connection:
        inbox.receive(connection, event)
    if apply:
        assert events.apply_received(event) == "applied"


def rows(query: str) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def is_whole(document: dict[str, Any]) -> None:
    """An export has what stands beside the books too; of a referral not who the other one is."""
    counts = {name: len(document[name]) for name in ("consent_events", *BESIDE)}
    assert counts == {
        "consent_events": 2,
        "suppressions": 1,
        "adjustments": 2,
        "referrals": 2,
        "traits": 2,
        "check_ins": 1,
        "visits": 1,
        "segments": 1,
        "campaigns": 2,
        "campaign_awards": 1,
        "counts_for_limits": 3,
        "deliveries": 2,
        "outcomes": 2,
        "merges": 0,
    }
    assert [(each["side"], each["state"]) for each in document["referrals"]] == [
        ("referred", "paid"),
        ("referrer", "open"),
    ]
    assert "referrer_no" not in document["referrals"][0]
    assert any("no such user" in event["said"] for event in document["events"])
    assert any("I+am+Zaphodia" in event["said"] for event in document["events"])


def test_nothing_is_left_beside_the_books(http: Http, run_flow: Command, prefect_server: Prefect) -> None:
    """Law (15): of adjustments, referrals, visits, campaigns, deliveries, callbacks and what is held nothing names the
    person any more; others' part of a batch stays, the books are sound, and late callbacks leave no trace.
    """  # fmt: skip
    [message, _] = live(http)
    assert run_flow("daily_milestones", "a day").returncode == 0
    found = in_database(NAMED)
    assert found[str(PERSON["email"])] >= {"members", "identifiers", "adjustments", "campaigns", "inbox"}
    assert "adjustments" in found["7946 0731"]
    assert "inbox" in found["79460731"]
    is_whole(http("GET", f"/v1/members/{WHO}/export").json())

    assert http("DELETE", f"/v1/members/{WHO}").status_code == 200
    arrive("sendgrid", "E5", mailed(message, "bounce", str(PERSON["email"])))
    sms = {"MessageSid": "SM3", "From": "+442079460731", "Body": f"STOP writing to {PERSON['first_name']}"}
    arrive("twilio", "E6", f"\n{urlencode(sms)}".encode())
    events.drain(clock.now(), 20)
    delivery.deliver(clock.now())

    assert in_database(NAMED) == {}
    assert in_files(settings().home_folder, NAMED) == {}
    assert in_files(prefect_server.home, NAMED) == {}
    for table in ("suppressions", "segments s join loyalty.members m using (member_no) where m.erased_at is not null"):
        assert rows(f"select 1 from loyalty.{table}") == []
    assert rows("select 1 from member_traits join members using (member_no) where erased_at is not null") == []
    assert rows("select distinct state from vouchers join members using (member_no) where erased_at is not null") == [
        ("void",)
    ]
    assert rows("select event_id, state, reason from inbox where source like 'webhooks/%' order by 1") == [
        ("E1", "applied", None),
        ("E2", "applied", None),
        ("E3", "applied", None),
        ("E4", "dropped", "the member is erased"),
        ("E5", "applied", None),
        ("E6", "applied", None),
    ]
    assert rows("select answer from inbox where event_id = 'E3'") == [("1 events, of 0 messages",)]
    assert {check.name for check in verify.verify() if not check.holds} == set()

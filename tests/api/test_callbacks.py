"""Callbacks over HTTP: signed, stored as they came, applied; as their platform calls the public address."""

import asyncio
import base64
import json
import time
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twilio.request_validator import RequestValidator

from loyalty.api.app import application
from tests.messages.conftest import Shop, shop

__all__ = ["shop"]

TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC = "https://loyalty.example.com/api"
KEY = ec.generate_private_key(ec.SECP256R1())
NOW = "2018-01-15T12:00:00-05:00"
AGREE = "select email_consent, sms_consent from loyalty.members"
EVENTS = "select source, state, convert_from(body, 'UTF8') from loyalty.inbox order by event_no"


@pytest.fixture
def sent(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A member who got an SMS by Twilio (1) and an e-mail by SendGrid (2), and a service that both may call."""
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for name, value in {
        "PUBLIC_URL": PUBLIC,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "SENDGRID_WEBHOOK_KEY": base64.b64encode(public).decode(),
        "CLOCK": NOW,
    }.items():
        monkeypatch.setenv(f"LOYALTY_{name}", value)
    member = shop.member()
    for channel, provider in (("sms", "twilio"), ("email", "sendgrid")):
        number = shop.queue(member, "points_credited", {}, channel=channel, occasion=channel)
        shop.execute(
            "insert into loyalty.deliveries (message_no, member_no, provider, attempted_at) values (:n, :m, :p, :at)",
            n=number,
            m=member,
            p=provider,
            at=NOW,
        )
    return shop


def post(target: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Post as the proxy does: over plain HTTP, to an address of the machine's own."""

    async def called() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.post(target, content=body, headers=headers)

    answer = asyncio.run(called())
    return answer.status_code, answer.content


def by_twilio(said: dict[str, str], target: str = "/v1/webhooks/twilio", *, token: str = TOKEN) -> tuple[int, bytes]:
    """A form that Twilio posts to the public address."""
    signature = RequestValidator(token).compute_signature(f"{PUBLIC}{target}", said)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    return post(target, urlencode(said).encode(), headers)


def by_sendgrid(events: list[dict[str, Any]], *, age: int = 0) -> tuple[int, bytes]:
    """Events that SendGrid posts, signed so many seconds ago."""
    body, timestamp = json.dumps(events).encode(), str(int(time.time()) - age)
    signature = base64.b64encode(KEY.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))).decode()
    name = "X-Twilio-Email-Event-Webhook"
    return post("/v1/webhooks/sendgrid", body, {f"{name}-Signature": signature, f"{name}-Timestamp": timestamp})


def outcomes(shop: Shop) -> list[tuple[int, str]]:
    """What became of the messages."""
    return [tuple(row) for row in shop.execute("select message_no, outcome from loyalty.message_outcomes order by 1")]


def test_twilio_tells_of_an_sms_behind_a_proxy(sent: Shop) -> None:
    """Law: a status ends at its message, once however often it comes; what it said is forgotten once applied."""
    status = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+12125550100"}
    target = "/v1/webhooks/twilio?message_no=1"

    assert [by_twilio(status, target), by_twilio({**status, "New": "1"}, target)] == [(204, b"")] * 2
    assert by_twilio({**status, "MessageStatus": "sent"}, target) == (204, b"")
    assert outcomes(sent) == [(1, "delivered")]
    kept = [tuple(row) for row in sent.execute(EVENTS)]
    assert kept == [("webhooks/twilio", "applied", None)] * 2


def test_sms_that_members_send(sent: Shop) -> None:
    """Law: STOP, then START, by SMS: consent ends, and comes again."""
    said = {"MessageSid": "SM7", "SmsStatus": "received", "From": "+12125550100", "Body": "STOP"}

    assert by_twilio(said) == (204, b"")
    assert sent.execute(AGREE) == [(True, False)]
    assert by_twilio({**said, "MessageSid": "SM8", "Body": "start"}) == (204, b"")
    assert by_twilio(said) == (204, b"")
    assert sent.execute(AGREE) == [(True, True)]


def test_sendgrid_tells_of_an_email(sent: Shop) -> None:
    """Law: events end at their message, and a drop for an opt-out withdraws the consent."""
    delivered = {"event": "delivered", "sg_event_id": "a", "message_no": "2", "timestamp": 1516035000}
    dropped = {**delivered, "event": "dropped", "sg_event_id": "b", "reason": "Unsubscribed Address"}

    assert [by_sendgrid([delivered]), by_sendgrid([dropped, delivered])] == [(204, b"")] * 2
    assert outcomes(sent) == [(2, "opted_out")]
    assert sent.execute(AGREE) == [(False, True)]


def test_what_is_not_signed_is_refused_without_a_word(sent: Shop) -> None:
    """Law: whatever is wrong with the proof, the answer is 403 and the same, and nothing is kept."""
    event = {"event": "delivered", "sg_event_id": "a", "message_no": "2"}
    answers = [
        by_twilio({"MessageSid": "SM1", "MessageStatus": "delivered"}, token="another"),
        post("/v1/webhooks/twilio", b"MessageStatus=delivered", {}),
        by_sendgrid([event], age=400),
        post("/v1/webhooks/sendgrid", json.dumps([event]).encode(), {}),
    ]

    assert {code for code, _ in answers} == {403}
    assert len({body for _, body in answers}) == 1
    assert sent.execute(EVENTS) == []


def test_what_nobody_understands_is_kept(sent: Shop) -> None:
    """Law: what is signed and makes no sense is a dead letter, and no fault of the platform's."""
    assert by_twilio({"CallSid": "CA1"}) == (204, b"")
    [(source, state, body)] = sent.execute(EVENTS)
    assert (source, state, body) == ("webhooks/twilio", "dead", "\nCallSid=CA1")

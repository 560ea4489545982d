"""The inbox: events kept as they came, applied once each, whatever order they come in."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, Connection, text

from loyalty import clock
from loyalty.api import events
from loyalty.api.app import application
from loyalty.api.appliers import of_platform
from loyalty.api.events import Applied, Drained, Outcome, arrive, drain
from loyalty.cli import run
from loyalty.db import inbox
from loyalty.db.engine import transaction
from loyalty.db.inbox import GIVEN_UP_AFTER, LONGEST_WAIT, Event
from loyalty.errors import BadInput, LoyaltyError, OtherContent, Refused, Unverified, Waits
from loyalty.platforms.base import Incoming, Platform, Request
from loyalty.platforms.registry import PLATFORMS
from loyalty.settings import Settings

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
ERRORS: dict[str, Exception] = {
    "refused": Refused("more than the sale"),
    "wrong": BadInput("no such currency"),
    "failing": LoyaltyError("the database refused a row"),
}


def _note(connection: Connection, event: Event, _now: datetime) -> Applied:
    """A stand-in for what events do: a row for each, in the order of application; a refund needs its sale's."""
    says = json.loads(event.body)
    rows = connection.execute(text("select event_id from noted")).scalars().all()
    if says.get("of") is not None and says["of"] not in rows:
        raise Waits("the sale has not come", waits_for=says["of"])
    connection.execute(text("insert into noted values (:id)"), {"id": event.event_id})
    if says.get("error"):
        raise ERRORS[says["error"]]
    return Applied(json.dumps({"noted": event.event_id}), event.event_id)


@pytest.fixture
def shop(database: URL, monkeypatch: pytest.MonkeyPatch) -> URL:
    """A database where events of the kinds sale and refund can be applied."""
    monkeypatch.setenv("LOYALTY_CLOCK", NOW.isoformat())
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: clock._STARTED))  # it stands still
    monkeypatch.setitem(events.APPLIERS, "sale", _note)
    monkeypatch.setitem(events.APPLIERS, "refund", _note)
    with transaction() as connection:
        connection.execute(text("create table noted (event_id text primary key)"))
    return database


def _event(name: str, kind: str = "sale", **says: Any) -> Event:
    body = json.dumps(says).encode()
    return Event("shop", name, kind, hashlib.sha256(body).digest(), body, NOW)


def _noted() -> list[str]:
    with transaction() as connection:
        return sorted(connection.execute(text("select event_id from noted")).scalars())


def _states() -> dict[str, tuple[str, str | None]]:
    with transaction() as connection:
        return {row.event_id: (row.state, row.reason) for row in connection.execute(text("select * from inbox"))}


def test_an_event_is_applied_as_it_comes_and_once(shop: URL) -> None:
    """Law: the first delivery applies it, a second gets the first answer, another content under its id is refused."""
    assert arrive(_event("S1")) == Outcome("applied", '{"noted": "S1"}')
    assert arrive(_event("S1")) == Outcome("applied", '{"noted": "S1"}', first=False)
    with pytest.raises(OtherContent):
        arrive(_event("S1", amount=2))
    assert (_noted(), _states()) == (["S1"], {"S1": ("applied", None)})


def test_what_comes_too_early_waits_for_what_it_needs(shop: URL) -> None:
    """Law: a refund before its sale waits with the reason; the sale applies it in its own transaction; then its repeat
    gets its answer.
    """  # fmt: skip
    early = Outcome("waiting", reason="the sale has not come")
    assert arrive(_event("R1", "refund", of="S1")) == early
    assert arrive(_event("R1", "refund", of="S1")) == Outcome("waiting", reason=early.reason, first=False)
    assert drain(NOW, 10) == Drained()
    assert arrive(_event("S1")).state == "applied"
    assert _noted() == ["R1", "S1"]
    assert arrive(_event("R1", "refund", of="S1")) == Outcome("applied", '{"noted": "R1"}', first=False)


def test_a_refund_that_fails_does_not_take_its_sale_along(shop: URL) -> None:
    """Law: what waited for a transaction is applied beside it; refused, it dies alone, without a trace of its own."""
    arrive(_event("R1", "refund", of="S1", error="refused"))
    arrive(_event("R2", "refund", of="S1", error="failing"))
    assert arrive(_event("S1")).state == "applied"
    assert (_noted(), _states()) == (
        ["S1"],
        {
            "R1": ("dead", "more than the sale"),
            "R2": ("waiting", "the service failed to apply it"),
            "S1": ("applied", None),
        },
    )


def test_who_sends_what_cant_be_is_told(shop: URL) -> None:
    """Law: an event that can never be applied is refused to its sender, and nothing of it is kept."""
    for error, raised in (("refused", Refused), ("wrong", BadInput)):
        with pytest.raises(raised):
            arrive(_event("S1", error=error))
    assert (_noted(), _states()) == ([], {})


def test_a_failure_of_ours_loses_nothing(shop: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: an event that we fail to apply is kept, nothing of it done, and applied once we can."""
    failed = Outcome("waiting", reason="the service failed to apply it")
    assert arrive(_event("S1", error="failing")) == failed
    assert arrive(_event("X1", "unheard-of")).reason == "this release can't apply events of the kind unheard-of"
    assert _noted() == []
    monkeypatch.setitem(ERRORS, "failing", Refused("mended, and wrong"))
    monkeypatch.setitem(events.APPLIERS, "unheard-of", _note)
    assert drain(NOW + timedelta(hours=1), 10) == Drained(applied=1, dead=1)
    assert (_noted(), _states()["S1"]) == (["X1"], ("dead", "mended, and wrong"))


def test_an_event_that_no_longer_reads_dies_alone(shop: URL) -> None:
    """Law: an event of an older release which this one can't read is dead with the reason; the others are applied."""
    body = json.dumps({"transaction_id": "P1", "customer_id": "C1", "amount": "1e3", "colour": "red"}).encode()
    old = Event("default", "P1", "purchase", hashlib.sha256(body).digest(), body, NOW)
    arrive(_event("R1", "refund", of="S1"))
    with transaction() as connection:
        inbox.receive(connection, old)
        inbox.postpone(connection, old, Waits("there was no rate"), NOW)
    assert drain(NOW + timedelta(hours=1), 10) == Drained(waiting=1, dead=1)
    wrong = [f"/{field}: not a value that this field can have" for field in ("amount", "colour")]
    assert _states()["P1"] == ("dead", "\n".join(wrong))


def test_tries_become_rarer_and_end(shop: URL) -> None:
    """Law: waits double from a minute to six hours; after thirty days the event is dead, with the reason."""
    arrive(_event("R1", "refund", of="S1"))
    waits, now = [], NOW
    while _states()["R1"][0] == "waiting":
        with transaction() as connection:
            due = connection.execute(text("select next_try_at from inbox")).scalar_one()
        assert drain(due - timedelta(seconds=1), 10) == Drained()
        waits.append(due - now)
        now = due
        drain(now, 10)
    minutes = [wait / timedelta(minutes=1) for wait in waits]
    assert minutes[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360]
    assert set(minutes[10:]) == {LONGEST_WAIT / timedelta(minutes=1)}
    assert timedelta(0) <= now - NOW - GIVEN_UP_AFTER < LONGEST_WAIT
    assert _states()["R1"] == ("dead", "given up after 30 days: the sale has not come")


@given(st.data())
def test_any_order_and_any_number_of_deliveries_end_alike(shop: URL, data: st.DataObject) -> None:
    """Law: sales and refunds in any order, each delivered several times, drained now and then, end applied once."""
    with transaction() as connection:
        connection.execute(text("truncate noted, inbox"))
    all_events = [_event("S1"), _event("S2"), *(_event(f"R{n}", "refund", of=f"S{n % 2 + 1}") for n in range(3))]
    deliveries = data.draw(st.permutations(all_events + data.draw(st.lists(st.sampled_from(all_events), max_size=5))))
    for hour, event in enumerate(deliveries):
        arrive(event)
        if data.draw(st.booleans()):
            drain(NOW + timedelta(hours=hour), 10)
    assert _noted() == ["R0", "R1", "R2", "S1", "S2"]
    assert set(_states().values()) == {("applied", None)}


def test_what_events_said_is_forgotten_in_time(shop: URL) -> None:
    """Law: once a day, bodies older than thirty days go; keys and answers stay, and so does what is not applied."""
    arrive(_event("S1"))
    arrive(_event("R1", "refund", of="S9"))
    drain(NOW + timedelta(days=31), 10)
    with transaction() as connection:
        kept = connection.execute(text("select event_id, body is null, answer from inbox order by event_id")).all()
    assert [tuple(row) for row in kept] == [("R1", False, None), ("S1", True, '{"noted": "S1"}')]
    assert arrive(_event("S1")) == Outcome("applied", '{"noted": "S1"}', first=False)


def _said(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capfd.readouterr()
    code = run(["inbox", *arguments])
    out, err = capfd.readouterr()
    return code, out + err


def test_the_command_lists_shows_replays_and_drops(shop: URL, capfd: pytest.CaptureFixture[str]) -> None:
    """Law: a person sees what waits and is dead, with its reason, tries it again, or drops it for a reason."""
    run(["migrate"])
    for number in (1, 2):
        arrive(_event(f"R{number}", "refund", of=f"S{number}"))
    code, out = _said(capfd, "list", "--json")
    first, second = json.loads(out)
    assert (code, first["event_id"], first["state"], first["reason"]) == (0, "R1", "waiting", "the sale has not come")
    numbers = [str(first["event_no"]), str(second["event_no"])]
    code, out = _said(capfd, "show", numbers[0])
    assert (code, '  "of": "S1"\n' in out.replace("    ", "  ")) == (0, True)
    with transaction() as connection:
        connection.execute(text("insert into noted values ('S1')"))
    assert _said(capfd, "replay", numbers[0]) == (0, "1 applied, 0 waiting, 0 dead\n")
    assert _said(capfd, "replay") == (0, "0 applied, 1 waiting, 0 dead\n")
    gone = f"loyalty: no event {numbers[0]} waits or is dead: nothing was changed\n"
    assert _said(capfd, "drop", *numbers, "--note", "test") == (1, gone)
    assert _said(capfd, "drop", numbers[1], "--note", "no such sale") == (0, f"event {numbers[1]} dropped\n")
    assert _states()["R2"] == ("dropped", "no such sale")
    assert _said(capfd, "list") == (0, "there are no events that wait or are dead\n")
    assert "no such sale" in _said(capfd, "list", "--state", "dropped")[1]
    none = f"loyalty: no event {numbers[0]} waits, is dead or was dropped: nothing was changed\n"
    assert _said(capfd, "replay", *numbers) == (1, none)
    assert _said(capfd, "replay", numbers[1]) == (0, "0 applied, 1 waiting, 0 dead\n")
    assert _said(capfd, "drop", numbers[1]) == (
        2,
        "loyalty: the following arguments are required: --note (see `loyalty inbox drop --help`)\n",
    )


def test_a_webhook_is_verified_then_stored_then_applied(shop: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: what its platform did not sign is refused and not stored; the rest is stored as it came, then applied."""

    def verify(request: Request, _settings: Settings) -> tuple[Incoming, ...]:
        if request.headers.get("x-signature") != hashlib.sha256(b"secret" + request.body).hexdigest():
            raise Unverified
        return tuple(Incoming(str(each["id"]), json.dumps(each).encode()) for each in json.loads(request.body))

    def apply(connection: Connection, event: Event, now: datetime) -> str:
        return _note(connection, event, now).answer

    acme = Platform("acme", lambda _settings: True, verify, apply)
    monkeypatch.setitem(PLATFORMS, "acme", acme)
    monkeypatch.setitem(events.APPLIERS, "acme", of_platform(acme))

    def send(said: Any, signature: str | None = None) -> tuple[int, bytes]:
        body = json.dumps(said).encode()
        signature = signature or hashlib.sha256(b"secret" + body).hexdigest()
        answer = asyncio.run(_post("/v1/webhooks/acme", body, {"X-Signature": signature}))
        return answer.status_code, answer.content

    code, told = send([{"id": 7}], "forged")
    assert (code, json.loads(told)["detail"]) == (403, "The signature of the platform is missing, or does not fit.")
    assert _states() == {}
    assert [send([{"id": 7}]), send([{"id": 7}, {"id": 8, "of": "9"}])] == [(204, b"")] * 2
    assert send([{"id": 9, "error": "refused"}, {"id": 7, "more": 1}]) == (204, b"")
    waits = ("waiting", "the sale has not come")
    assert _states() == {"7": ("applied", None), "8": waits, "9": ("dead", "more than the sale")}
    assert _noted() == ["7"]
    with transaction() as connection:
        bodies = connection.execute(text("select source, body from inbox order by event_id")).all()
    said = [b"", b'{"id": 8, "of": "9"}', b'{"id": 9, "error": "refused"}']  # what is applied is forgotten at once
    assert [(row.source, bytes(row.body or b"")) for row in bodies] == [("webhooks/acme", each) for each in said]


def test_a_platform_that_is_not_set_up_is_not_there(shop: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: without what proves its requests a platform is as unknown as one that nobody has heard of."""
    unknown = asyncio.run(_post("/v1/webhooks/nobody", b"x", {}))
    for name in PLATFORMS:
        answer = asyncio.run(_post(f"/v1/webhooks/{name}", b"x", {}))
        assert (answer.status_code, answer.content) == (404, unknown.content)


async def _post(address: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """Send to the application in this process, where the platform is known."""
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://loyalty") as client:
        return await client.post(address, content=body, headers=headers)

"""What providers tell of messages: in any order, any number of times, it ends at the message and the member alike."""

import hashlib
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from loyalty.db import callbacks, consents, deliveries
from loyalty.db.callbacks import MessageOutcome
from loyalty.db.engine import transaction
from loyalty.db.inbox import Event
from loyalty.errors import BadInput
from loyalty.platforms import sendgrid, twilio
from tests.platforms.conftest import Shop

CAME = datetime(2018, 1, 15, 17, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CODES = ["21610", "30003", "30005", "0", ""]


def given_to(shop: Shop, provider: str, members: int = 2) -> list[int]:
    """Messages that a provider was given, one to each of so many new members; their numbers are the messages'."""
    channel = "sms" if provider == "twilio" else "email"
    for number in range(1, members + 1):
        member = shop.member(f"C{number}", phone=f"+1 (212) 555-010{number}", email=f"C{number}@Example.test")
        message = shop.queue(member, "points_credited", {}, channel=channel)
        assert (member, message) == (number, number)
        shop.execute(
            "insert into loyalty.deliveries (message_no, member_no, provider, attempted_at) values (:n, :n, :p, :at)",
            n=number,
            p=provider,
            at=CAME,
        )
    shop.execute("update loyalty.outbox set state = 'sent', finished_at = :at", at=CAME)
    return list(range(1, members + 1))


def status(number: int, state: str, code: str = "", *, came: datetime = CAME, **more: str) -> Event:
    """A status callback of Twilio, as the inbox keeps it."""
    said = {
        "MessageSid": f"SM{number}",
        "MessageStatus": state,
        "To": f"+1212555010{number}",
        "ErrorCode": code,
        **more,
    }
    body = f"message_no={number}\n{urlencode(said)}".encode()
    return Event("webhooks/twilio", f"SM{number} {state}", "twilio", b"", body, came)


def word(number: int, said: str, *, came: datetime = CAME, sid: str = "", **more: str) -> Event:
    """An SMS that a member sent, as the inbox keeps it."""
    form = {"MessageSid": sid or f"IN{said}", "SmsStatus": "received", "From": f"+1212555010{number}", "Body": said}
    return Event("webhooks/twilio", form["MessageSid"], "twilio", b"", f"\n{urlencode(form | more)}".encode(), came)


def posted(*events: dict[str, Any], came: datetime = CAME) -> Event:
    """A request of SendGrid's event webhook, as the inbox keeps it."""
    body = json.dumps(events).encode()
    return Event("webhooks/sendgrid", hashlib.sha256(body).hexdigest(), "sendgrid", b"", body, came)


def mailed(number: int, event: str, *, minute: int = 0, **more: Any) -> dict[str, Any]:
    """An event of SendGrid about a message of ours."""
    at = int((CAME - timedelta(hours=1) + minute * MINUTE).timestamp())
    given_id = f"{number}-{event}-{minute}-{sorted(more.items())}".replace(" ", "")
    return {
        "email": f"c{number}@example.test",
        "timestamp": at,
        "event": event,
        "sg_event_id": hashlib.md5(given_id.encode(), usedforsecurity=False).hexdigest(),
        "message_no": str(number),
        **more,
    }


def apply(*events: Event, now: datetime = CAME) -> None:
    """Apply events, each in a transaction of its own."""
    for event in events:
        with transaction() as connection:
            (twilio if event.kind == "twilio" else sendgrid).apply(connection, event, now)


def outcomes(messages: list[int]) -> list[tuple[str, str | None] | None]:
    """What became of messages, and why."""
    with transaction() as connection:
        found = [callbacks.outcome(connection, each) for each in messages]
    return [None if each is None else (each.kind, each.reason) for each in found]


def ended(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that callbacks may have changed."""
    return {
        statement: [tuple(row) for row in connection.execute(text(statement))]
        for statement in (
            "select message_no, outcome, at, reason from loyalty.message_outcomes order by message_no",
            "select member_no, email_consent, sms_consent from loyalty.members order by member_no",
            "select * from loyalty.consent_events order by 1, 2, 3, 4, 5",
            "select channel, address, reason, since from loyalty.suppressions order by 1, 2, 3",
            "select message_no, state from loyalty.outbox order by message_no",
        )
    }


@pytest.mark.parametrize("provider", ["twilio", "sendgrid"])
def test_any_order_and_repetition_end_the_same(shop: Shop, provider: str) -> None:
    """Law: events applied in any order, some of them several times, leave the same state behind."""
    given_to(shop, provider)
    numbers, minutes = st.integers(1, 2), st.integers(0, 90).map(lambda number: CAME + number * MINUTE)
    if provider == "twilio":
        states = st.sampled_from(sorted({*twilio._KINDS, "receiving"}))
        said = st.builds(status, numbers, states, st.sampled_from(CODES))
        words = st.sampled_from(["STOP", "start", "Stop.", "HELP", "thanks"])
        event = said | st.builds(lambda number, what, came: word(number, what, came=came), numbers, words, minutes)
    else:
        more = st.fixed_dictionaries(
            {},
            optional={
                "reason": st.sampled_from(["Invalid", "Unsubscribed Address", "Bounced Address", "Expired", "other"]),
                "type": st.sampled_from(["bounce", "blocked"]),
                "status": st.sampled_from(["5.1.1", "nonsense"]),
            },
        )
        kinds = st.sampled_from([*sendgrid._KINDS, "account_status_change"])
        one = st.builds(lambda *a: mailed(a[0], a[1], minute=a[2], **a[3]), numbers, kinds, st.integers(0, 90), more)
        event = st.lists(one, min_size=1, max_size=4).map(lambda events: posted(*events))

    @given(st.lists(event, max_size=8, unique_by=lambda each: each.event_id), st.randoms(use_true_random=False))
    def law(events: list[Event], chance: random.Random) -> None:
        again = [*events, *chance.choices(events, k=len(events) // 2)] if events else []
        chance.shuffle(again)
        ends = []
        for order in (events, again):
            with transaction() as connection, connection.begin_nested() as savepoint:
                for each in order:
                    (twilio if provider == "twilio" else sendgrid).apply(connection, each, CAME)
                ends.append(ended(connection))
                savepoint.rollback()
        assert ends[0] == ends[1]

    law()


STATES: list[tuple[list[str], tuple[str, str | None] | None]] = [
    (["queued"], ("accepted", None)),
    (["sent", "queued"], ("sent", None)),
    (["delivered", "sent", "queued"], ("delivered", None)),
    (["read", "delivered"], ("opened", None)),
    (["undelivered", "delivered"], ("bounced", None)),
    (["delivered", "undelivered"], ("bounced", None)),
    (["failed"], ("failed", None)),
    (["canceled"], ("failed", None)),
    (["no such state"], None),
]


def test_a_state_never_goes_backwards(shop: Shop) -> None:
    """Law: what became of a message is the event that ranks highest, whenever it came."""
    messages = given_to(shop, "twilio", len(STATES))
    apply(*(status(number, state) for number, (states, _) in zip(messages, STATES, strict=True) for state in states))

    assert outcomes(messages) == [outcome for _, outcome in STATES]


def test_the_sample_of_twilio(shop: Shop) -> None:
    """Law: an undelivered SMS ends as bounced, with the code; one that can be reached later is not given up."""
    given_to(shop, "twilio")
    apply(status(1, "undelivered", "30003", SmsStatus="undelivered", RawDlrDoneDate="2601151700"))
    apply(status(2, "undelivered", "30005"))

    assert outcomes([1, 2]) == [("bounced", "30003"), ("bounced", "30005")]
    assert shop.execute("select channel, reason, source from loyalty.suppressions") == [
        ("sms", "invalid address", "twilio")
    ]
    [(digest,)] = shop.execute("select address from loyalty.suppressions")
    assert bytes(digest) == hashlib.sha256(b"12125550102").digest()


def test_the_sample_of_sendgrid(shop: Shop) -> None:
    """Law: delivered, dropped and bounced end at the messages; consent and address follow; others' events are left."""
    messages = given_to(shop, "sendgrid", 5)
    apply(
        posted(
            mailed(1, "delivered", response="250 OK"),
            mailed(2, "dropped", reason="Unsubscribed Address"),
            mailed(3, "bounce", reason="550 5.1.1 <c3@example.test> unknown", status="5.1.1", type="bounce"),
            mailed(4, "bounce", status="4.2.2", type="blocked"),
            mailed(5, "spamreport"),
            mailed(77, "bounce", status="5.1.1", type="bounce"),
            {"event": "bounce", "email": "stranger@example.test", "sg_event_id": "x"},
            {"event": "delivered", "message_no": ["1"], "timestamp": "soon"},
        )
    )

    assert outcomes(messages) == [
        ("delivered", None),
        ("opted_out", "unsubscribed address"),
        ("bounced", "5.1.1"),
        ("bounced", "4.2.2"),
        ("complained", None),
    ]
    agree = [(1, True), (2, False), (3, True), (4, True), (5, True)]
    assert shop.execute("select member_no, email_consent from loyalty.members order by 1") == agree
    given_up = {
        (hashlib.sha256(b"c3@example.test").digest(), "bounced"),
        (hashlib.sha256(b"c5@example.test").digest(), "spam report"),
    }
    found = shop.execute("select address, reason from loyalty.suppressions")
    assert {(bytes(address), reason) for address, reason in found} == given_up
    assert shop.execute("select count(*) from loyalty.message_events") == [(5,)]


def test_nothing_of_a_person_is_kept_of_an_event(shop: Shop) -> None:
    """Law: of an event stay codes and known words: no address, no free text."""
    given_to(shop, "sendgrid")
    apply(posted(mailed(1, "dropped", reason="C1@example.test is on a list"), mailed(2, "bounce", status="c2@x")))

    kept = str(shop.execute("select * from loyalty.message_events")) + str(
        shop.execute("select * from loyalty.consent_events")
    )
    assert "@" not in kept
    assert outcomes([1, 2]) == [("dropped", None), ("bounced", None)]


def test_what_is_no_array_of_events_is_a_dead_letter(shop: Shop) -> None:
    """Law: what SendGrid signed and nobody understands is kept for a person to see."""
    for body in (b"", b"{}", b"[1]", b"\xff", b'{"event": "open"}', b"null"):
        with pytest.raises(BadInput), transaction() as connection:
            sendgrid.apply(connection, Event("webhooks/sendgrid", "1", "sendgrid", b"", body, CAME), CAME)


def test_an_event_settles_what_nobody_knew(shop: Shop) -> None:
    """Law: a message of which nobody knew whether it went is sent, once its provider tells anything of it."""
    given_to(shop, "sendgrid")
    shop.execute("update loyalty.outbox set state = 'unknown', finished_at = null")
    apply(posted(mailed(1, "processed")))

    assert shop.states() == [("sent", None), ("unknown", None)]


def test_stop_then_start(shop: Shop) -> None:
    """Law: STOP ends SMS to whoever has the number, START opens them again; time, way and word are kept."""
    given_to(shop, "twilio")
    apply(
        word(1, "Stop!", came=CAME),
        word(1, "help", came=CAME + MINUTE),
        word(2, "Yes, thanks", came=CAME + MINUTE),
        word(9, "STOP", came=CAME + MINUTE),
    )
    consent = "select sms_consent, email_consent from loyalty.members order by member_no"
    assert shop.execute(consent) == [(False, True), (True, True)]
    apply(word(1, "START", came=CAME + 2 * MINUTE))
    assert shop.execute(consent) == [(True, True), (True, True)]
    with transaction() as connection:
        told = [(row["at"], row["given"], row["source"], row["wording"]) for row in consents.history(connection, 1)]
    assert told == [(CAME, False, "sms STOP", "stop"), (CAME + 2 * MINUTE, True, "sms START", "start")]


def test_a_stop_that_is_applied_late_stays_behind_a_later_start(shop: Shop) -> None:
    """Law: what was said last holds, also if it is applied first; at one instant STOP holds."""
    given_to(shop, "twilio", 2)
    apply(word(1, "START", came=CAME + MINUTE), word(1, "STOP", came=CAME))
    apply(word(2, "START", came=CAME), word(2, "STOP", came=CAME))

    assert shop.execute("select sms_consent from loyalty.members order by member_no") == [(True,), (False,)]


def test_words_that_end_sms(shop: Shop) -> None:
    """Law: the words of Twilio and of our languages, alone in the SMS, however they are written; no others."""
    said = ["STOP", "unsubscribe", "  Baja ", "إيقاف", "¡ALTO!", "stop it", "", "STOP STOP"]
    given_to(shop, "twilio", len(said))
    apply(*(word(number, each, sid=f"IN{number}") for number, each in enumerate(said, start=1)))

    agree = shop.execute("select sms_consent from loyalty.members order by member_no")
    assert agree == [(False,)] * 5 + [(True,)] * 3


def test_twilios_own_list_of_words_counts(shop: Shop) -> None:
    """Law: where the account has words of its own, what Twilio took the SMS for is what it means."""
    given_to(shop, "twilio", 2)
    apply(word(1, "genug", OptOutType="STOP"), word(2, "STOP", OptOutType="HELP"))

    assert shop.execute("select sms_consent from loyalty.members order by member_no") == [(False,), (True,)]


def test_a_refusal_for_an_opt_out_is_one(shop: Shop) -> None:
    """Law: Twilio's 21610 says that the member opted out there; a repeat of it never undoes a START since."""
    given_to(shop, "twilio", 1)
    refused = status(1, "failed", "21610")
    apply(refused, word(1, "start", came=CAME + MINUTE))
    apply(status(1, "failed", "21610", came=CAME + 2 * MINUTE), refused)

    assert shop.execute("select sms_consent from loyalty.members") == [(True,)]
    assert outcomes([1]) == [("opted_out", "21610")]


def test_a_late_event_brings_nobody_back(shop: Shop) -> None:
    """Law: of who was erased no consent is kept, given or withdrawn."""
    given_to(shop, "twilio", 1)
    shop.execute("update loyalty.members set erased_at = :at, sms_consent = false", at=CAME)
    apply(word(1, "START"), status(1, "failed", "21610"))

    assert shop.execute("select sms_consent, (select count(*) from loyalty.consent_events) from loyalty.members") == [
        (False, 0)
    ]


def test_an_outcome_has_its_instant(shop: Shop) -> None:
    """Law: an event is of its own moment, by the provider's clock, but never later than it came."""
    given_to(shop, "sendgrid", 2)
    late = mailed(2, "delivered") | {"timestamp": int((CAME + timedelta(days=400)).timestamp())}
    apply(posted(mailed(1, "delivered", minute=7), late))

    with transaction() as connection:
        found = [callbacks.outcome(connection, each) for each in (1, 2)]
    at = CAME - timedelta(hours=1) + 7 * MINUTE
    assert found == [MessageOutcome("delivered", at, None), MessageOutcome("delivered", CAME, None)]


def test_what_a_provider_declines_for_good_counts_for_the_member(shop: Shop) -> None:
    """Law: a message declined for an opt-out withdraws the consent, one for its address gives that up."""
    given_to(shop, "twilio", 3)
    shop.execute("update loyalty.outbox set state = 'sending', finished_at = null")
    shop.execute("update loyalty.deliveries set claimed_by = 'w'")
    declined = [
        deliveries.Recorded(1, "failed", "21610", fault="opted out"),
        deliveries.Recorded(2, "failed", "21211", fault="bad address"),
        deliveries.Recorded(3, "failed", "21408"),
    ]
    with transaction() as connection:
        deliveries.record(connection, "w", declined, CAME)

    assert shop.execute("select sms_consent from loyalty.members order by member_no") == [(False,), (True,), (True,)]
    assert shop.execute("select source, at from loyalty.consent_events") == [("twilio opted out", CAME)]
    [(digest, reason)] = shop.execute("select address, reason from loyalty.suppressions")
    assert (bytes(digest), reason) == (hashlib.sha256(b"12125550102").digest(), "invalid address")

"""The outbox through a provider: each message once, whatever breaks; none lost; those in doubt listed."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from loyalty.db import deliveries
from loyalty.db.engine import transaction
from loyalty.errors import ConfigurationError, LoyaltyError
from loyalty.messages.courier import FIRST_WAIT, LONGEST_WAIT, MOST_TRIES, TROUBLES, wait_before_next
from loyalty.messages.delivery import Delivered, deliver
from tests.messages.conftest import Shop
from tests.messages.provider_double import CUT, CUT_AFTER, SILENCE_AFTER, Accepted, Fault, ProviderDouble, answer

NOON = datetime.fromisoformat("2018-01-15T12:00:00-05:00")
LATER = NOON + timedelta(hours=7)  # after the longest wait, and still by day
DELIVER = """
import os
from datetime import datetime
from loyalty.messages.delivery import deliver
deliver(datetime.fromisoformat(os.environ["AS_OF"]))
"""
BUSY = {"code": 20429, "message": "Too Many Requests", "status": 429}
STOPPED = {"code": 21610, "message": "unsubscribed recipient", "status": 400}


def _queue(shop: Shop, count: int, *, channel: str = "sms", **told: Any) -> list[int]:
    """So many messages, each to a member of its own."""
    kind, facts = (
        ("points_credited", {"period": "2017-12", "points": 12, "balance": 1120})
        if channel == "sms"
        else ("points_expiring", {"points": 40, "expires_at": "2018-04-01T04:00:00Z"})
    )
    return [
        shop.queue(shop.member(f"C{number}", phone=f"+1212555{number:04}", **told), kind, facts, channel=channel)
        for number in range(1, count + 1)
    ]


def _once(provider: ProviderDouble, messages: list[int]) -> bool:
    """Whether the provider took each of these once, and nothing else."""
    return provider.times() == {str(number): 1 for number in messages}


def _ids(shop: Shop) -> list[tuple[str, str | None]]:
    rows = shop.execute("select provider, provider_id from loyalty.deliveries order by message_no")
    return [(provider, provider_id) for provider, provider_id in rows]


def _age(shop: Shop, **ago: float) -> None:
    """Have all tries lie further back."""
    shop.execute("update loyalty.deliveries set attempted_at = attempted_at - :ago", ago=timedelta(**ago))


def _lapse(shop: Shop) -> None:
    """Have all leases end."""
    shop.execute("update loyalty.deliveries set claimed_until = claimed_until - interval '1 hour'")


def _unknown() -> list[int]:
    with transaction() as connection:
        return [row["message_no"] for row in deliveries.unknown(connection, 1000)]


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_each_goes_out_once(shop: Shop, by_twilio: ProviderDouble, by_sendgrid: ProviderDouble, channel: str) -> None:
    """Law: every message reaches its provider once, and the outbox keeps what the provider calls it."""
    messages = _queue(shop, 30, channel=channel)

    assert deliver(NOON) == Delivered(sent=30)
    assert deliver(LATER) == Delivered()
    assert _once(by_twilio, messages)
    assert shop.outbox() == [("sent", None, None, 1, at) for *_, at in shop.outbox()]
    assert all(NOON <= at < NOON + timedelta(hours=1) for *_, at in shop.outbox())
    provider = {"sms": "twilio", "email": "sendgrid"}[channel]
    assert _ids(shop) == [(provider, each.provider_id) for each in sorted(by_twilio.accepted, key=_number)]
    assert shop.files() == []
    assert shop.execute("select from loyalty.deliveries where claimed_by is not null or digest is not null") == []


def _number(accepted: Accepted) -> int:
    args = accepted.request.get("personalizations", [{}])[0].get("custom_args")
    return int(args["message_no"] if args else accepted.request["StatusCallback"].rpartition("=")[2])


def test_what_must_not_go_does_not(shop: Shop, by_twilio: ProviderDouble) -> None:
    """Law: consent, address and hours are looked at as for files, and such a message is never taken in hand."""
    _queue(shop, 1, sms_consent=False)
    shop.queue(
        shop.member("no", phone=None),
        "points_credited",
        {"period": "2017-12", "points": 1, "balance": 1},
        channel="sms",
    )
    shop.queue(
        shop.member("far", time_zone="Asia/Tokyo"),
        "points_credited",
        {"period": "2017-12", "points": 1, "balance": 1},
        channel="sms",
    )
    shop.queue(shop.member("odd"), "points_credited", {}, channel="sms")

    assert deliver(NOON) == Delivered(withheld=2, delayed=1, failed=1)
    assert [state for state, *_ in shop.outbox()] == ["withheld", "withheld", "queued", "failed"]
    assert (by_twilio.requests, _ids(shop)) == (0, [])


def test_what_may_be_tried_again_is(shop: Shop, by_twilio: ProviderDouble) -> None:
    """Law: a message that surely did not go waits as long as the provider asked, or ever longer, and then goes once."""
    messages = _queue(shop, 3)
    by_twilio.faults += [answer(429, BUSY, Retry_After="1"), None, None]

    assert deliver(NOON) == Delivered(sent=2, later=1)
    [(reason, not_before, tries)] = [
        (reason, not_before, tries) for state, reason, not_before, tries, _ in shop.outbox() if state == "queued"
    ]
    assert (reason, tries) == ("twilio: 20429 Too Many Requests", 1)
    assert NOON + timedelta(seconds=1) <= not_before <= NOON + timedelta(minutes=5)
    assert deliver(NOON) == Delivered()
    assert deliver(not_before) == Delivered(sent=1)
    assert _once(by_twilio, messages)


def test_a_channel_rests_as_long_as_its_provider_asks(shop: Shop, by_twilio: ProviderDouble) -> None:
    """Law: a long rest that a provider asks for ends a delivery, and no delivery anywhere sends before it is over."""
    messages = _queue(shop, 20)
    by_twilio.faults += [answer(429, BUSY, Retry_After="3600")] * 3

    first = deliver(NOON)
    came = by_twilio.requests
    assert first.sent == len(by_twilio.accepted)
    assert deliver(LATER) == Delivered()
    assert by_twilio.requests == came <= 3
    by_twilio.faults.clear()  # of a thread that was stopped before it began
    shop.execute("update loyalty.channel_rates set resumes_at = null")
    assert deliver(LATER) == Delivered(sent=20 - first.sent)
    assert _once(by_twilio, messages)


@pytest.mark.parametrize("unwell", [answer(503), answer(500), CUT], ids=["503", "500", "cut"])
def test_a_provider_that_is_unwell_is_left_alone(shop: Shop, by_sendgrid: ProviderDouble, unwell: Fault) -> None:
    """Law: after some troubles in a row a delivery ends, so that few messages are in doubt; the rest waits."""
    messages = _queue(shop, 40, channel="email")
    by_sendgrid.faults += [unwell] * 40

    done = deliver(NOON)
    assert TROUBLES <= by_sendgrid.requests < TROUBLES + 3  # the threads
    assert (done.sent, done.later + done.unknown >= by_sendgrid.requests) == (0, True)
    assert done.unknown == (0 if unwell.status == 503 else by_sendgrid.requests)
    assert sum(tries for *_, tries, _ in shop.outbox()) == by_sendgrid.requests
    by_sendgrid.faults.clear()
    assert deliver(LATER) == Delivered(sent=40 - done.unknown)
    assert sorted([*map(_number, by_sendgrid.accepted), *_unknown()]) == messages


def test_a_provider_that_is_not_there(shop: Shop, by_sendgrid: ProviderDouble) -> None:
    """Law: nothing is in doubt where nobody listened, however often; when somebody does, each message goes once."""
    messages = _queue(shop, 10, channel="email")
    by_sendgrid.stop()
    for days in range(MOST_TRIES + 1):
        done = deliver(NOON + timedelta(days=days))
        assert (done.sent, done.failed, done.unknown) == (0, 0, 0)
    assert {state for state, *_ in shop.outbox()} == {"queued"}
    by_sendgrid.start()

    assert deliver(NOON + timedelta(days=30)) == Delivered(sent=10)
    assert _once(by_sendgrid, messages)


def test_what_a_provider_will_never_take_is_closed(shop: Shop, by_twilio: ProviderDouble) -> None:
    """Law: an opt-out or a bad number ends the message with the provider's reason, and its fault is kept."""
    _queue(shop, 2)
    bad = {"code": 21211, "message": "Invalid 'To'", "status": 400}
    by_twilio.faults += [answer(400, STOPPED), answer(400, bad)]

    assert deliver(NOON) == Delivered(failed=2)
    assert deliver(LATER) == Delivered()
    assert {reason for _, reason, *_ in shop.outbox()} == {
        "twilio: 21610 unsubscribed recipient",
        "twilio: 21211 Invalid 'To'",
    }
    assert {fault for (fault,) in shop.execute("select fault from loyalty.deliveries")} == {"opted out", "bad address"}


def test_a_message_is_not_tried_for_ever(shop: Shop, by_twilio: ProviderDouble) -> None:
    """Law: what a provider puts off each time, though others go, is given up after so many tries."""
    _queue(shop, 1)
    for number in range(MOST_TRIES):
        by_twilio.faults += [answer(429, BUSY, Retry_After="1")]
        shop.execute("update loyalty.channel_rates set resumes_at = null")
        shop.execute("update loyalty.outbox set not_before = null, tries = :tries", tries=number)
        assert deliver(NOON) == Delivered(later=1)
    shop.execute("update loyalty.channel_rates set resumes_at = null")

    assert deliver(LATER + timedelta(days=1)) == Delivered(sent=1)


@pytest.mark.parametrize("tries", [0, 1, 5, 9, 1000])
def test_waits_grow_and_differ(tries: int) -> None:
    """Law: waits double, to six hours, and differ by up to half; what a provider asks for is kept to."""
    longest = min(FIRST_WAIT * 2 ** min(tries, 12), LONGEST_WAIT)
    waits = {wait_before_next(tries) for _ in range(50)}

    assert len(waits) > 40
    assert all(longest / 2 <= wait <= longest for wait in waits)
    assert all(timedelta(seconds=7) <= wait_before_next(tries, 7) <= timedelta(seconds=9) for _ in range(50))


def test_a_dropped_reply_is_looked_up(shop: Shop, by_twilio: ProviderDouble) -> None:
    """Law: after a dropped reply a message is unknown, and never sent again; the provider, asked, says what it has."""
    messages = _queue(shop, 6)
    by_twilio.faults += [CUT_AFTER, None, None, None, None, None]

    assert deliver(NOON) == Delivered(sent=5, unknown=1)
    assert deliver(LATER) == Delivered()  # too early to ask
    [unknown] = _unknown()
    _age(shop, minutes=3)
    assert deliver(LATER) == Delivered()
    assert (_unknown(), {state for state, *_ in shop.outbox()}) == ([], {"sent"})
    assert _once(by_twilio, messages)
    assert dict(zip(messages, _ids(shop), strict=True))[unknown] in {
        ("twilio", each.provider_id) for each in by_twilio.accepted
    }


def test_a_message_that_never_came_goes_again(shop: Shop, by_twilio: ProviderDouble) -> None:
    """Law: what the provider, asked again and again, does not have after half an hour is sent once more, not before."""
    messages = _queue(shop, 3)
    by_twilio.faults += [CUT, None, None]
    assert deliver(NOON) == Delivered(sent=2, unknown=1)
    _age(shop, minutes=3)
    assert deliver(NOON) == Delivered()
    assert len(_unknown()) == 1
    _age(shop, minutes=30)

    assert deliver(NOON) == Delivered(sent=1)
    assert _once(by_twilio, messages)


def test_one_text_to_one_number_for_two(shop: Shop, by_twilio: ProviderDouble) -> None:
    """Law: two members with one telephone and one text are two messages: none is taken for the other's."""
    facts = {"period": "2017-12", "points": 12, "balance": 1120}
    for customer in ("C1", "C2", "C3"):
        shop.queue(shop.member(customer, phone="+12125550100"), "points_credited", facts, channel="sms")
    by_twilio.faults += [None, CUT_AFTER, CUT]
    assert deliver(NOON) == Delivered(sent=1, unknown=2)
    _age(shop, minutes=3)
    deliver(NOON)
    assert len(_unknown()) == 1
    _age(shop, minutes=30)

    assert deliver(NOON) == Delivered(sent=1)
    assert len({provider_id for _, provider_id in _ids(shop)}) == len(by_twilio.accepted) == 3


def test_where_there_is_no_telling_a_person_decides(shop: Shop, by_twilio: ProviderDouble) -> None:
    """Law: without an answer of the provider a message stays unknown, for ever, until somebody says what it is."""
    _queue(shop, 3)
    by_twilio.faults += [CUT_AFTER] * 3
    deliver(NOON)
    shop.execute("update loyalty.members set phone = '+12125559999'")
    _age(shop, minutes=40)
    assert deliver(LATER) == Delivered()
    assert len(_unknown()) == 3

    with transaction() as connection:
        first, second, third = _unknown()
        assert deliveries.settle(connection, [first], "sent", LATER, reason="seen, says anna") == [first]
        assert deliveries.settle(connection, [second, 999], "queued", LATER) == [second]
        assert deliveries.settle(connection, [third, first], "failed", LATER, reason="dropped by anna") == [third]
    assert deliver(LATER) == Delivered(sent=1)
    assert [state for state, *_ in shop.outbox()] == ["sent", "sent", "failed"]


def test_a_callback_ends_the_doubt(shop: Shop, by_sendgrid: ProviderDouble) -> None:
    """Law: an event that brings a message's number says that it was sent; for one that is sent it changes nothing."""
    _queue(shop, 3, channel="email")
    by_sendgrid.faults += [CUT_AFTER, None, None]
    deliver(NOON)
    [unknown] = _unknown()
    with transaction() as connection:
        confirmed = [deliveries.confirm(connection, number, f"E{number}", LATER) for number in (1, 2, 3)]

    assert confirmed == [number == unknown for number in (1, 2, 3)]
    assert ("sendgrid", f"E{unknown}") in _ids(shop)
    assert [state for state, *_ in shop.outbox()] == ["sent"] * 3


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_killed_between_send_and_record(
    shop: Shop, by_twilio: ProviderDouble, by_sendgrid: ProviderDouble, channel: str
) -> None:
    """Law: whoever is killed with messages out leaves few of them in doubt; none goes twice, and all others go."""
    provider, messages = by_twilio, _queue(shop, 60, channel=channel)
    provider.hold_after = 10
    with subprocess.Popen([sys.executable, "-c", DELIVER], env=os.environ | {"AS_OF": NOON.isoformat()}) as process:
        assert provider.held.wait(60)
        process.send_signal(signal.SIGKILL)
    provider.hold_after = None
    provider.release.set()

    rest = deliver(NOON)
    assert rest.unknown == 0  # the leases still run
    _lapse(shop)
    lapsed = deliver(NOON)
    assert (lapsed.sent, lapsed.unknown) == (0, len(_unknown()))
    assert 1 <= lapsed.unknown <= 5 * 3 + 3
    assert set(_unknown()) | set(map(_number, provider.accepted)) == set(messages)
    assert set(provider.times().values()) == {1}
    if channel == "sms":  # Twilio can be asked
        _age(shop, minutes=3)
        deliver(NOON)
        _age(shop, minutes=30)
        deliver(NOON)
        assert _unknown() == []
        assert _once(provider, messages)


def test_outcomes_that_cannot_be_recorded(shop: Shop, by_sendgrid: ProviderDouble) -> None:
    """Law: when the database won't record what was sent, that is in doubt, and not sent again."""
    _queue(shop, 4, channel="email")
    shop.execute(
        "create function loyalty.refuse() returns trigger language plpgsql as"
        " $$ begin if new.state = 'sent' then raise exception 'out of order'; end if; return new; end $$"
    )
    shop.execute("create trigger refuse before update on loyalty.outbox for each row execute function loyalty.refuse()")
    with pytest.raises(LoyaltyError, match="out of order"):
        deliver(NOON)
    shop.execute("drop trigger refuse on loyalty.outbox")
    _lapse(shop)

    again = deliver(NOON)
    assert again.unknown == len(_unknown()) > 0
    assert set(_unknown()) | set(map(_number, by_sendgrid.accepted)) == {1, 2, 3, 4}
    assert set(by_sendgrid.times().values()) == {1}


def test_deliveries_at_the_same_time(shop: Shop, by_twilio: ProviderDouble, by_sendgrid: ProviderDouble) -> None:
    """Law: deliveries at once, with a provider that stumbles, send each message once between them."""
    messages = [*_queue(shop, 60, channel="email")]
    facts = {"period": "2017-12", "points": 12, "balance": 1120}
    messages += [shop.queue(number, "points_credited", facts, channel="sms") for number in range(1, 61)]
    by_sendgrid.every_tenth = answer(400, {"errors": []})
    start = threading.Barrier(3)

    def _deliver(_: int) -> Delivered:
        start.wait()
        return deliver(NOON, limit_per_batch=7)

    with ThreadPoolExecutor(3) as pool:
        done = sum(pool.map(_deliver, range(3)), Delivered())

    assert done == Delivered(sent=len(by_sendgrid.accepted), failed=120 - len(by_sendgrid.accepted))
    assert (by_sendgrid.requests, done.failed) == (120, 12)
    assert set(by_sendgrid.times().values()) == {1}
    assert {"sent": done.sent, "failed": done.failed} == dict(
        shop.execute("select state, count(*) from loyalty.outbox group by state")
    )


def test_settings_that_a_provider_refuses(shop: Shop, by_sendgrid: ProviderDouble) -> None:
    """Law: a refused key ends the delivery by the setting's name; no message pays for it, and other channels go on."""
    _queue(shop, 20, channel="email")
    shop.queue(1, "points_credited", {"period": "2017-12", "points": 1, "balance": 1}, channel="sms")
    by_sendgrid.faults += [answer(401, {})] * 20
    with pytest.raises(ConfigurationError) as refused:
        deliver(NOON)

    assert str(refused.value) == "LOYALTY_SENDGRID_API_KEY is refused by SendGrid: 401"
    assert shop.outbox()[:-1] == [("queued", None, None, 0, None)] * 20
    assert shop.states()[-1] == ("sent", None)
    by_sendgrid.faults.clear()
    assert deliver(NOON) == Delivered(sent=20)


@pytest.mark.parametrize(
    ("variable", "value", "missing"),
    [
        ("EMAIL_CHANNEL", "sendgrid", "LOYALTY_BRAND_SENDER is missing: the channel sendgrid needs it"),
        ("EMAIL_CHANNEL", "smtp", "LOYALTY_BRAND_SENDER is missing: the channel smtp needs it"),
        ("SMS_CHANNEL", "twilio", "LOYALTY_TWILIO_ACCOUNT_SID is missing: the channel twilio needs it"),
        ("STAFF_CHANNEL", "slack", "LOYALTY_SLACK_WEBHOOK_URL is missing: the channel slack needs it"),
    ],
)
def test_a_channel_without_its_settings(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, missing: str
) -> None:
    """Law: a channel that lacks a setting says which before anything is claimed."""
    _queue(shop, 1)
    monkeypatch.setenv(f"LOYALTY_{variable}", value)
    with pytest.raises(ConfigurationError) as refused:
        deliver(NOON)

    assert str(refused.value) == missing
    assert shop.states() == [("queued", None)]


def test_silence_ends(shop: Shop, by_twilio: ProviderDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: a provider that says nothing is waited for only so long, and then nobody knows."""
    monkeypatch.setenv("LOYALTY_SEND_TIMEOUT", "0.3")
    _queue(shop, 1)
    by_twilio.faults.append(SILENCE_AFTER)

    assert deliver(NOON) == Delivered(unknown=1)
    assert [(row.reason, row.tries) for row in shop.execute("select reason, tries from loyalty.outbox")] == [
        ("twilio: no reply ReadTimeout", 1)
    ]


def test_a_pace_is_kept_by_all_together(shop: Shop) -> None:
    """Law: what may go in a second is shared out, what is not used comes back, and a rest holds for everybody."""
    with transaction() as connection:
        assert deliveries.take_share(connection, "twilio", 10, None) == (10, 0.0)
        assert deliveries.take_share(connection, "slack", 3, 0.001)[0] == 1
        share, pause = deliveries.take_share(connection, "slack", 3, 0.001)
        assert (share, 900 < pause <= 1000) == (0, True)
        deliveries.take_share(connection, "slack", -1, 0.001)
        assert deliveries.take_share(connection, "slack", 3, 0.001)[0] == 1
        assert deliveries.take_share(connection, "sendgrid", 10, 5)[0] == 5
        deliveries.rest(connection, "sendgrid", 100)
        deliveries.rest(connection, "sendgrid", 50)
        share, pause = deliveries.take_share(connection, "sendgrid", 1, None)
        assert (share, 90 < pause <= 100) == (0, True)


def test_who_died_with_another_provider(
    shop: Shop, by_sendgrid: ProviderDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: a message in hand of a delivery that died is in doubt, also when its channel is another one by now."""
    _queue(shop, 2, channel="email")
    deliver(NOON)
    shop.execute("update loyalty.outbox set state = 'sending' where message_no = 1")
    shop.execute("update loyalty.deliveries set claimed_by = 'x', claimed_until = '2020-01-01'")
    monkeypatch.setenv("LOYALTY_EMAIL_CHANNEL", "file")

    assert deliver(LATER) == Delivered(unknown=1)
    assert _unknown() == [1]
    assert shop.files() == []

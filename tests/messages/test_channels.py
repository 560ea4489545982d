"""Each channel against its provider's document: what it sends, and what it makes of every kind of reply."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.errors import ConfigurationError
from loyalty.messages.channels.channel import Accepted, Channel, Declined, Letter, NotSent, Sent, Unclear, told
from loyalty.messages.channels.http import wait_of
from loyalty.messages.channels.sendgrid import SendGrid
from loyalty.messages.channels.slack import Slack
from loyalty.messages.channels.twilio import Twilio
from loyalty.messages.mail import Email
from tests.messages.provider_double import (
    ACCOUNT,
    API_KEY,
    CUT,
    CUT_AFTER,
    SENDER,
    SERVICE,
    SILENCE,
    SILENCE_AFTER,
    SLACK_PATH,
    TOKEN,
    Fault,
    ProviderDouble,
    answer,
)

NOW = datetime.now(UTC)
NUMBER = "+12125550100"
MAIL = Letter(
    6, "welcome", "ana@example.test", Email("Hello", "<p>Hello, Ana", "Hello, Ana"), "Bell & Sons", "en", NOW,
    sender="club@shop.example", headers={"List-Unsubscribe": "<https://shop.example/u/1>"},
)  # fmt: skip
SMS = Letter(7, "points_credited", NUMBER, "You earned 12 points.", "Bell & Sons", "en", NOW)


PATIENCE = 20.0  # seconds: only silence is to run into it


def _sendgrid(url: str, timeout: float = PATIENCE) -> tuple[Channel, Letter]:
    return SendGrid(API_KEY, url, timeout=timeout, at_once=2), MAIL


def _twilio(url: str, timeout: float = PATIENCE, sender: str = SENDER) -> tuple[Twilio, Letter]:
    callback = "https://shop.example/v1/webhooks/twilio"
    return Twilio(ACCOUNT, TOKEN, sender, url, callback=callback, timeout=timeout, at_once=2), SMS


def _slack(url: str, timeout: float = PATIENCE) -> tuple[Channel, Letter]:
    return Slack(url + SLACK_PATH, timeout=timeout), MAIL


MAKERS = (_sendgrid, _twilio, _slack)
every_channel = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__.strip("_"))
Maker = Callable[..., tuple[Channel, Letter]]


def _send(provider: ProviderDouble, make: Maker, fault: Fault | None = None, timeout: float = PATIENCE) -> Sent:
    channel, letter = make(provider.url, timeout)
    provider.faults.append(fault)
    with closing(channel):
        return channel.send(letter)


@pytest.fixture
def twilio(provider: ProviderDouble) -> Iterator[Twilio]:
    """Twilio, closed at the end."""
    channel, _ = _twilio(provider.url)
    with closing(channel):
        yield channel


def test_sendgrid_takes_an_email(provider: ProviderDouble) -> None:
    """Law: an e-mail goes out whole, to one person, with its number in custom_args and nothing personal beside it."""
    sent = _send(provider, _sendgrid)

    [accepted] = provider.accepted
    assert sent == Accepted(accepted.provider_id)
    assert accepted.request == {
        "personalizations": [{"to": [{"email": "ana@example.test"}], "custom_args": {"message_no": "6"}}],
        "from": {"email": "club@shop.example", "name": "Bell & Sons"},
        "subject": "Hello",
        "content": [
            {"type": "text/plain", "value": "Hello, Ana"},
            {"type": "text/html", "value": "<p>Hello, Ana"},
        ],
        "categories": ["welcome"],
        "headers": {
            "Content-Language": "en",
            "Auto-Submitted": "auto-generated",
            "List-Unsubscribe": "<https://shop.example/u/1>",
        },
    }


@pytest.mark.parametrize(("sender", "field"), [(SENDER, "From"), (SERVICE, "MessagingServiceSid")])
def test_twilio_takes_an_sms(provider: ProviderDouble, sender: str, field: str) -> None:
    """Law: an SMS goes out from a number or a service, and its callback names it."""
    sent = _send(provider, lambda url, timeout: _twilio(url, timeout, sender))

    [accepted] = provider.accepted
    assert sent == Accepted(accepted.provider_id)
    assert accepted.request == {
        "To": NUMBER,
        field: sender,
        "Body": "You earned 12 points.",
        "StatusCallback": "https://shop.example/v1/webhooks/twilio?message_no=7",
    }


def test_slack_takes_word_to_staff(provider: ProviderDouble) -> None:
    """Law: what Slack would read as a mark of its own is escaped, so nobody is pinged by a name."""
    letter = Letter(1, "k", "staff", Email("A & B", "", "<!channel> see"), "P", "en", NOW)
    sent = _send(provider, lambda url, timeout: (_slack(url, timeout)[0], letter))

    assert sent == Accepted(None)
    assert [each.text for each in provider.accepted] == ["*A &amp; B*\n&lt;!channel&gt; see"]


@pytest.mark.parametrize("number", ["2125550100", "+0212555", "+1", "12125550100"])
def test_a_number_without_country_code_is_not_asked_about(
    provider: ProviderDouble, twilio: Twilio, number: str
) -> None:
    """Law: what Twilio can't take does not go to Twilio."""
    assert twilio.send(Letter(7, "k", number, "text", "P", "en", NOW)) == Declined(
        "the number has no country code: Twilio takes +12125550100 only", "bad address"
    )
    assert provider.requests == 0


TWILIO_BUSY = {"code": 20429, "message": "Too Many Requests", "status": 429}
OPTED_OUT = {"code": 21610, "message": "Attempt to send to unsubscribed recipient +12125550100", "status": 400}
BAD_NUMBER = {"code": 21211, "message": "Invalid 'To' Phone Number: +12125550100", "status": 400}
BAD_ADDRESS = {
    "errors": [{"field": "personalizations.0.to.0.email", "message": "Does not contain a valid address: a@b.test."}]
}


@pytest.mark.parametrize(
    ("make", "fault", "becomes"),
    [
        (_twilio, answer(429, TWILIO_BUSY, Retry_After="7"), NotSent("twilio: 20429 Too Many Requests", 7, True)),
        (_twilio, answer(429, TWILIO_BUSY), NotSent("twilio: 20429 Too Many Requests", 10, True)),
        (_twilio, answer(503), NotSent("twilio: 503", 10, True)),
        (_twilio, answer(500), Unclear("twilio: HTTP 500")),
        (_twilio, answer(502, "<html>"), Unclear("twilio: HTTP 502")),
        (_twilio, answer(201, "no JSON"), Unclear("twilio: a reply that makes no sense")),
        (
            _twilio,
            answer(400, OPTED_OUT),
            Declined("twilio: 21610 Attempt to send to unsubscribed recipient …", "opted out"),
        ),
        (_twilio, answer(400, BAD_NUMBER), Declined("twilio: 21211 Invalid 'To' Phone Number: …", "bad address")),
        (
            _twilio,
            answer(400, {"code": 21617, "message": "Too long", "status": 400}),
            Declined("twilio: 21617 Too long"),
        ),
        (_sendgrid, answer(429, {}, X_RateLimit_Reset="1"), NotSent("sendgrid: HTTP 429", 1, True)),
        (_sendgrid, answer(429, {}), NotSent("sendgrid: HTTP 429", None, True)),
        (_sendgrid, answer(503, {}), NotSent("sendgrid: HTTP 503", None, True)),
        (_sendgrid, answer(500, {}), Unclear("sendgrid: HTTP 500")),
        (_sendgrid, answer(413, {}), Declined("sendgrid: HTTP 413")),
        (
            _sendgrid,
            answer(400, BAD_ADDRESS),
            Declined(
                "sendgrid: HTTP 400 personalizations.0.to.0.email Does not contain a valid address: …", "bad address"
            ),
        ),
        (_sendgrid, answer(200), Accepted(None)),  # sandbox mode
        (_slack, answer(429, "", Retry_After="3"), NotSent("slack: HTTP 429", 3, True)),
        (_slack, answer(400, "invalid_payload"), Declined("slack: 400 invalid_payload")),
        (_slack, answer(500, "rollup_error"), Unclear("slack: HTTP 500 rollup_error")),
        (_slack, answer(200, "sorry"), Unclear("slack: HTTP 200 sorry")),
    ],
)
def test_replies(provider: ProviderDouble, make: Maker, fault: Fault, becomes: Sent) -> None:
    """Law: a reply is what it means for the message, without the address that it repeats; nothing is tried again."""
    assert _send(provider, make, fault) == becomes
    assert provider.requests == 1


@every_channel
@pytest.mark.parametrize(
    "fault", [CUT, CUT_AFTER, SILENCE, SILENCE_AFTER], ids=["cut", "cut after", "silence", "silence after"]
)
def test_a_lost_reply_is_unclear(provider: ProviderDouble, make: Maker, fault: Fault) -> None:
    """Law: once a request is out, no reply means that nobody knows; no provider's library tries again by itself."""
    timeout = 0.3 if fault.what == "silence" else PATIENCE
    assert isinstance(_send(provider, make, fault, timeout), Unclear)
    provider.await_requests(1)
    assert (provider.requests, len(provider.accepted)) == (1, int(fault.after))


@every_channel
def test_a_connection_that_never_stood_is_not_sent(provider: ProviderDouble, make: Maker) -> None:
    """Law: where nobody listens nothing went out, and the message may be tried again."""
    provider.stop()

    sent = _send(provider, make)
    assert isinstance(sent, NotSent)
    assert (sent.whole_channel, provider.requests) == (True, 0)


@pytest.mark.parametrize(
    ("make", "fault", "told_as"),
    [
        (_sendgrid, answer(401), "LOYALTY_SENDGRID_API_KEY is refused by SendGrid: 401"),
        (
            _sendgrid,
            answer(403, {"errors": [{"field": "from", "message": "a@b.test is no verified Sender Identity"}]}),
            "LOYALTY_BRAND_SENDER is refused by SendGrid for this key: from … is no verified Sender Identity",
        ),
        (
            _twilio,
            answer(401, {"code": 20003, "message": "Authenticate", "status": 401}),
            "LOYALTY_TWILIO_AUTH_TOKEN is refused by Twilio: 20003 Authenticate",
        ),
        (_twilio, answer(404), "LOYALTY_TWILIO_ACCOUNT_SID is refused by Twilio: HTTP 404"),
        (
            _twilio,
            answer(400, {"code": 21606, "message": "not yours", "status": 400}),
            "LOYALTY_TWILIO_FROM is refused by Twilio: 21606 not yours",
        ),
        (
            _slack,
            answer(410, "channel_is_archived"),
            "LOYALTY_SLACK_WEBHOOK_URL is refused by Slack: 410 channel_is_archived",
        ),
    ],
)
def test_what_refuses_us_names_the_setting(provider: ProviderDouble, make: Maker, fault: Fault, told_as: str) -> None:
    """Law: a refusal that no message can help is an error of the settings, not the end of a message."""
    with pytest.raises(ConfigurationError) as refused:
        _send(provider, make, fault)
    assert str(refused.value) == told_as


def test_twilio_is_asked_for_a_lost_message(provider: ProviderDouble, twilio: Twilio) -> None:
    """Law: a message is found by number, text and time; another text, number or day is another message."""
    provider.faults.append(CUT_AFTER)
    twilio.send(SMS)
    [accepted] = provider.accepted
    other = Letter(8, "points_credited", NUMBER, "You earned 13 points.", "P", "en", NOW)
    elsewhere = Letter(7, "points_credited", "+12125550101", SMS.content, "P", "en", NOW)

    assert twilio.find(NUMBER, SMS.digest, accepted.at) == [accepted.provider_id]
    assert twilio.find(NUMBER, other.digest, accepted.at) == []
    assert twilio.find(NUMBER, SMS.digest, accepted.at - timedelta(days=1)) == []
    assert twilio.find(NUMBER, SMS.digest, accepted.at + timedelta(days=1)) == []
    assert twilio.find("+12125550101", elsewhere.digest, accepted.at) == []


def test_there_is_no_telling_where_the_provider_cannot(provider: ProviderDouble, twilio: Twilio) -> None:
    """Law: a number that changed, texts that are not kept, more messages than we look through: no answer, not a no."""
    twilio.send(SMS)
    [accepted] = provider.accepted

    assert twilio.find("+12125550109", SMS.digest, NOW) is None
    provider.keeps_texts = False
    assert twilio.find(NUMBER, SMS.digest, NOW) is None
    provider.keeps_texts = True
    provider.accepted += [accepted] * 400
    assert twilio.find(NUMBER, SMS.digest, NOW) is None
    provider.stop()
    assert twilio.find(NUMBER, SMS.digest, NOW) is None


@every_channel
def test_nothing_personal_is_logged(provider: ProviderDouble, make: Maker, caplog: pytest.LogCaptureFixture) -> None:
    """Law: no log, of ours or of a library, down to its requests, shows an address, a number or a secret."""
    caplog.set_level(logging.INFO)
    channel, letter = make(provider.url)
    provider.faults += [None, answer(400, BAD_NUMBER)]
    with closing(channel):
        for _ in range(2):
            channel.send(letter)
        if isinstance(channel, Twilio):
            channel.find(NUMBER, SMS.digest, NOW)

    assert [hidden for hidden in (NUMBER[1:], "ana@", "secret", TOKEN) if hidden in caplog.text] == []


# The digits stand apart from the words around them, as they do in what providers say.
@given(address=st.emails(), number=st.from_regex(r"\+?[1-9][0-9]{6,14}", fullmatch=True))
def test_what_is_kept_names_nobody(address: str, number: str) -> None:
    """Law: a reason repeats no address and no number, whatever stands around them, and is short."""
    kept = told("smtp", 550, f"<{address}>: call {number}", "x" * 500)

    assert address not in kept
    assert number not in kept
    assert kept.startswith("smtp: 550 <")
    assert len(kept) <= 200


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "5"}, 5),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "99999999"}, 86400),
        ({"Retry-After": "9", "X-RateLimit-Reset": "1"}, 9),
        ({"X-RateLimit-Reset": "1"}, 1),
        ({"X-RateLimit-Reset": "nan?"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 1),
    ],
)
def test_how_long_a_provider_asks_us_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    """Law: seconds or a date, never less than a second or more than a day; what makes no sense says nothing."""
    assert wait_of(httpx.Headers(headers)) == seconds


def test_a_date_to_wait_for() -> None:
    """Law: a date in Retry-After is waited for from now on."""
    seconds = wait_of(httpx.Headers({"Retry-After": format_datetime(datetime.now(UTC) + timedelta(hours=1))}))

    assert seconds is not None
    assert 3500 < seconds <= 3600

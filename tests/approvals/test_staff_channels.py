"""Messages to managers by Slack and by e-mail: each once, and in doubt rather than twice."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from loyalty import clock
from loyalty.db import deliveries
from loyalty.db.engine import transaction
from loyalty.messages import staff
from loyalty.messages.delivery import Delivered, deliver
from tests.approvals.conftest import Shop
from tests.messages.provider_double import API_KEY, CUT_AFTER, SLACK_PATH, ProviderDouble, answer

WAITING = "select state, reason, tries from loyalty.staff_messages"


@pytest.fixture
def provider() -> Iterator[ProviderDouble]:
    """A server in the providers' place."""
    double = ProviderDouble()
    yield double
    double.stop()
    assert (double.violations, double.unmet) == ([], [])


@pytest.fixture
def by_slack(shop: Shop, provider: ProviderDouble, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop whose managers read Slack, where six messages to members are withheld."""
    monkeypatch.setenv("LOYALTY_STAFF_CHANNEL", "slack")
    monkeypatch.setenv("LOYALTY_SLACK_WEBHOOK_URL", provider.url + SLACK_PATH)
    return shop


def test_managers_are_told_by_slack(by_slack: Shop, provider: ProviderDouble) -> None:
    """Law: what waits for a decision is told in the staff's channel, once."""
    assert deliver(clock.now()) == Delivered(sent=1, withheld=6)
    assert deliver(clock.now()) == Delivered()
    assert by_slack.rows(WAITING) == [("sent", None, 1)]
    [told] = provider.accepted
    assert "5" in told.text
    assert told.text.startswith("*")


def test_a_webhook_that_is_busy_is_tried_again(
    by_slack: Shop, provider: ProviderDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: what Slack put off goes out after the rest that it asked for."""
    monkeypatch.setattr(staff, "LONGEST_PAUSE", 1)
    provider.faults.append(answer(429, "", Retry_After="600"))

    assert deliver(clock.now()) == Delivered(withheld=6, later=1)
    assert by_slack.rows(WAITING) == [("queued", "slack: HTTP 429", 1)]
    assert deliver(clock.now() + timedelta(minutes=20)) == Delivered()  # by the machine's clock it rests on
    by_slack.rows("update loyalty.channel_rates set resumes_at = null returning provider")
    assert deliver(clock.now() + timedelta(minutes=20)) == Delivered(sent=1)
    assert len(provider.accepted) == 1


def test_word_that_may_have_come_is_not_repeated(by_slack: Shop, provider: ProviderDouble) -> None:
    """Law: after a lost reply a message to staff is in doubt, listed, and sent again only if a person says so."""
    provider.faults.append(CUT_AFTER)

    assert deliver(clock.now()) == Delivered(withheld=6, unknown=1)
    assert deliver(clock.now()) == Delivered()
    with transaction() as connection:
        [listed] = deliveries.unknown(connection, 10)
        assert (listed["to_staff"], listed["message_no"], listed["kind"]) == (True, 1, "review_waiting")
        assert deliveries.settle_staff(connection, [1], "queued", clock.now()) == [1]
    assert deliver(clock.now()) == Delivered(sent=1)
    assert len(provider.accepted) == 2


def test_a_delivery_to_staff_that_died(by_slack: Shop) -> None:
    """Law: a message to staff whose delivery never came back is in doubt."""
    by_slack.rows(
        "update loyalty.staff_messages set state = 'sending', claimed_until = '2020-01-01' returning message_no"
    )

    assert deliver(clock.now()) == Delivered(withheld=6, unknown=1)
    assert by_slack.rows(WAITING) == [("unknown", "the delivery that had it in hand ended", 1)]


def test_managers_are_told_by_email(shop: Shop, provider: ProviderDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: by e-mail, managers are told through the channel that e-mails go by, as text and as HTML."""
    for name, value in {
        "STAFF_CHANNEL": "email", "STAFF_EMAIL": "managers@example.com", "EMAIL_CHANNEL": "sendgrid",
        "BRAND_SENDER": "club@shop.example", "SENDGRID_API_KEY": API_KEY, "SENDGRID_URL": provider.url,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"LOYALTY_{name}", value)

    assert deliver(clock.now()) == Delivered(sent=1, withheld=6)
    [told] = provider.accepted
    assert told.request["personalizations"][0]["custom_args"] == {"staff_message_no": "1"}
    parts = [part["type"] for part in told.request["content"]]
    assert (told.to, parts) == ("managers@example.com", ["text/plain", "text/html"])

"""`loyalty messages unknown`: what is in doubt, and a person's word on it."""

import json
from datetime import timedelta

import pytest

from loyalty import cli
from loyalty.messages.delivery import deliver
from loyalty.messages.preview import SAMPLES
from tests.messages.conftest import QUEUED_AT, Shop
from tests.messages.provider_double import CUT_AFTER, ProviderDouble


@pytest.fixture
def doubtful(shop: Shop, by_sendgrid: ProviderDouble, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Three e-mails of which nobody knows."""
    monkeypatch.setenv("LOYALTY_CLOCK", QUEUED_AT.isoformat())
    for number in range(3):
        shop.queue(shop.member(f"C{number}"), "points_expiring", SAMPLES["points_expiring"])
    by_sendgrid.faults += [CUT_AFTER] * 3
    deliver(QUEUED_AT)
    return shop


def test_the_list_names_messages_and_nobody(doubtful: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    """Law: each message in doubt is listed with kind, member number, provider and reason, and no address."""
    assert cli.run(["messages", "unknown", "list"]) == 0
    listed = capfd.readouterr().out
    assert cli.run(["messages", "unknown", "list", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)

    assert [line.split()[:5] for line in listed.splitlines()[1:]] == [
        [str(number), "points_expiring", str(number), "email", "sendgrid"] for number in (1, 2, 3)
    ]
    assert "@" not in listed
    assert [(row["message"], row["reason"], row["tries"]) for row in rows] == [
        (str(number), "sendgrid: no reply RemoteProtocolError", 1) for number in (1, 2, 3)
    ]


def test_a_person_ends_the_doubt(
    doubtful: Shop, by_sendgrid: ProviderDouble, capfd: pytest.CaptureFixture[str]
) -> None:
    """Law: sent, unsent or dropped, in somebody's name; only what is unsent goes again."""
    for outcome, number in (("sent", "1"), ("unsent", "2"), ("dropped", "3")):
        assert cli.run(["messages", "unknown", "resolve", number, "--as", outcome, "--by", "anna"]) == 0
    assert capfd.readouterr().out == "message 1: sent\nmessage 2: unsent\nmessage 3: dropped\n"
    assert doubtful.states() == [
        ("sent", "sent, says anna"),
        ("queued", "unsent, says anna"),
        ("failed", "dropped, says anna"),
    ]

    deliver(QUEUED_AT + timedelta(hours=1))
    assert [state for state, _ in doubtful.states()] == ["sent", "sent", "failed"]
    assert by_sendgrid.times() == {"1": 1, "2": 2, "3": 1}


def test_all_or_nothing(doubtful: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    """Law: where one of the messages named is not in doubt, nothing changes, and the error names it."""
    for numbers, named in ((["1", "9"], "9"), (["2", "S4"], "S4")):
        assert cli.run(["messages", "unknown", "resolve", *numbers, "--as", "unsent", "--by", "anna"]) == 1
        assert capfd.readouterr().err == f"loyalty: message {named} is not unknown: nothing was changed\n"

    assert {state for state, _ in doubtful.states()} == {"unknown"}

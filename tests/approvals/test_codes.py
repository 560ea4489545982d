"""One-time codes: who decides has read the message to the managers."""

import re
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from loyalty import clock
from loyalty.db import approvals, expiry, one_time_codes, reviews
from loyalty.errors import Refused
from loyalty.messages.delivery import Delivered, deliver
from loyalty.settings import settings
from tests.approvals.conftest import DECIDED_AT, DUE_AT, Shop

WRONG = (
    "the one-time code is wrong or spent: it came with the message to the managers, "
    "and the next daily run sends a new one where the last is spent"
)


@pytest.fixture
def coded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop where a decision takes a code, and the managers have an address."""
    monkeypatch.setenv("LOYALTY_STAFF_EMAIL", "managers@example.com")
    shop.rules(review_code=True)
    return shop


def test_a_decision_takes_the_code_of_its_message(coded: Shop) -> None:
    """Law: without the code nobody decides, a batch or a review; with it, however it is written, it is decided."""
    assert deliver(clock.now()) == Delivered(sent=1, withheld=6)
    [code] = _codes()
    for typed in (None, "", "0000-0000", code + "0"):
        with pytest.raises(Refused) as refused:
            approvals.decide(1, approve=True, by="anna", code=typed)
        assert str(refused.value) == WRONG
    with pytest.raises(Refused, match="one-time code"):
        reviews.approve([coded.review("C1")], by="anna")

    assert [decision.state for decision in reviews.approve([coded.review("C1")], by="anna", code=code)] == ["approved"]
    assert approvals.decide(1, approve=True, by="anna", code=code.lower().replace("-", " ")).state == "approved"
    assert coded.rows("select code_hash from loyalty.approvals") == [(None,)]


def test_guessing_is_bounded(coded: Shop) -> None:
    """Law: after five wrong codes the right one is worth nothing, until the next day's message brings another."""
    deliver(clock.now())
    [code] = _codes()
    for _ in range(approvals.CODE_TRIES):
        with pytest.raises(Refused):
            approvals.decide(1, approve=True, by="eve", code="1111-1111")
    with pytest.raises(Refused):
        approvals.decide(1, approve=True, by="anna", code=code)
    expiry.expire(DECIDED_AT)
    deliver(clock.now())
    [_, fresh] = _codes()

    assert fresh != code
    assert approvals.decide(1, approve=True, by="anna", code=fresh).state == "approved"


def test_a_code_that_was_seen_is_spent(coded: Shop) -> None:
    """Law: the right code with an answer that can't be taken is worth nothing any more: Prefect keeps what is typed."""
    deliver(clock.now())
    [code] = _codes()
    with pytest.raises(Exception, match="a rejection needs its reason"):
        approvals.decide(1, approve=False, by="anna", code=code)
    with pytest.raises(Refused, match="one-time code"):
        approvals.decide(1, approve=False, by="anna", note="no", code=code)
    expiry.expire(DECIDED_AT)
    deliver(clock.now())

    assert approvals.decide(1, approve=False, by="anna", note="no", code=_codes()[1]).state == "rejected"


def test_only_a_hash_is_kept(coded: Shop) -> None:
    """Law: the code stands in the message and nowhere in the database; the hash is salted by its approval."""
    deliver(clock.now())
    [code] = _codes()
    [(kept, salt)] = coded.rows("select code_hash, salt::text from loyalty.approvals")

    assert one_time_codes.matches(code, salt, kept)
    assert not one_time_codes.matches(code, salt[::-1], kept)
    assert code.replace("-", "") not in str(
        coded.rows("select a.*, m.* from loyalty.approvals a, loyalty.staff_messages m")
    )


def test_managers_are_told_reminded_and_told_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: a message when something waits, one ahead of the deadline, one past it, each once, none naming members."""
    monkeypatch.setenv("LOYALTY_STAFF_EMAIL", "managers@example.com")
    monkeypatch.setenv("LOYALTY_PREFECT_UI_URL", "https://prefect.example.com/")
    shop.rows("insert into loyalty.approval_runs values (1, 1, '5fb82625-bd55-4819-84f1-954b20983fb4')")
    for day in range(15):
        at = DECIDED_AT + timedelta(days=day)
        shop.product.expire(at)
        deliver(at)
    messages = list(_messages())

    assert [message["Subject"] for message in messages] == [
        "Review 2026-01 Gold 1 waits for a decision until February 16, 2026, 12:00 PM",
        "Reminder: review 2026-01 Gold 1 waits for a decision until February 16, 2026, 12:00 PM",
        "Review 2026-01 Gold 1 was not decided by February 16, 2026, 12:00 PM",
    ]
    assert [message["To"] for message in messages] == ["managers@example.com"] * 3
    assert _words(messages[0]) == WAITING
    assert shop.rows("select kind, state from loyalty.staff_messages order by message_no") == [
        ("review_waiting", "sent"),
        ("review_reminder", "sent"),
        ("review_overdue", "sent"),
    ]


def test_messages_that_cannot_go_are_withheld(shop: Shop) -> None:
    """Law: without an address, or about what is decided by now, a message is withheld with its reason."""
    deliver(clock.now())
    shop.product.expire(DUE_AT - timedelta(days=1))
    approvals.decide(1, approve=True, by="anna")
    deliver(clock.now())

    assert [tuple(row) for row in shop.rows("select kind, state, reason from loyalty.staff_messages order by 1")] == [
        ("review_reminder", "withheld", "stale"),
        ("review_waiting", "withheld", "no address: set LOYALTY_STAFF_EMAIL"),
    ]


WAITING = """\
5 upgrades into Gold of 2026-01 wait. Asked by a close; undecided on
February 16, 2026, 12:00\u00a0PM, it lapses.

To decide, open this page, and choose Resume in its menu (three dots):
https://prefect.example.com/v2/runs/flow-run/5fb82625-bd55-4819-84f1-954b20983fb4
Or in a terminal:
    loyalty approvals approve 1 --by HANDLE
    loyalty approvals reject 1 --by HANDLE --note WHY
"""


def _messages() -> Iterator[EmailMessage]:
    """The messages to managers, in order."""
    outbox = Path(settings().home_folder) / "outbox"
    for path in sorted(outbox.glob("*/staff-*.eml"), key=lambda path: path.name):
        yield message_from_bytes(path.read_bytes(), policy=default)


def _words(message: EmailMessage) -> str:
    """What the text part of a message says."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def _codes() -> list[str]:
    """The codes that came with them."""
    return [
        code
        for message in _messages()
        for code in re.findall(r"^The one-time code for this decision:\n    (\S+)$", _words(message), re.MULTILINE)
    ]

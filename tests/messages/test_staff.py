"""Messages to staff that are about no approval: to the warehouse, and about limits."""

from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from loyalty.db import inbox
from loyalty.db.engine import transaction
from loyalty.db.inbox import Event
from loyalty.errors import Held
from loyalty.messages.alerts import alert
from loyalty.messages.delivery import Delivered, deliver
from loyalty.settings import settings
from tests.messages.conftest import Shop

NOON = datetime.fromisoformat("2018-01-15T12:00:00-05:00")
LIMIT = {"kind": "redeem", "per": "member", "window": "day", "of": "points", "most": 500}
BROKEN = Held("more than 500 points redeemed in a day", LIMIT)
HELD = Event("default", "R1", "redemption", b"d" * 32, b"{}", NOON)


def _read() -> list[EmailMessage]:
    files = sorted(settings().home_folder.glob("outbox/*/staff-*.eml"))
    read = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return [each for each in read if isinstance(each, EmailMessage)]


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def _gift(shop: Shop) -> None:
    shop.execute(
        "insert into loyalty.gift_dispatches (member_no, tier_no, earned_at, period, gift, asked_at, changed_at)"
        " select :member, tier_no, :at, '2018-01-01', 'Platinum welcome box', :at, :at"
        " from loyalty.tiers where name = 'Platinum'",
        member=shop.member(),
        at=NOON,
    )


def test_each_hears_what_is_theirs(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gifts go to the warehouse, limits to staff, each once, as text and as HTML, and nobody's name is in them."""
    monkeypatch.setenv("LOYALTY_STAFF_EMAIL", "staff@example.com")
    monkeypatch.setenv("LOYALTY_WAREHOUSE_EMAIL", "warehouse@example.com")
    _gift(shop)
    with transaction() as connection:
        inbox.receive(connection, HELD)
    for _ in range(2):
        with transaction() as connection:
            inbox.hold(connection, HELD, BROKEN, NOON)

    assert [deliver(NOON) for _ in range(2)] == [Delivered(sent=2), Delivered()]
    limit, gift = _read()
    assert (limit["To"], limit["Subject"]) == (
        "staff@example.com",
        "Held for review: a redemption breaks a limit",
    )
    assert "breaks it: more than 500 points redeemed in a day. It is kept" in " ".join(_text(limit).split())
    assert (gift["To"], gift["Subject"]) == ("warehouse@example.com", "1 gift waits to be sent")
    assert "    2018-01-15  M1 Platinum: Platinum welcome box\n" in _text(gift)
    assert [part.get_content_type() for part in gift.iter_parts()] == ["text/plain", "text/html"]
    assert "Ana" not in _text(gift)


def test_without_an_address_the_warehouse_is_not_told(shop: Shop) -> None:
    """A message that nobody can get is withheld, with the setting to make."""
    _gift(shop)

    assert deliver(NOON) == Delivered(withheld=1)
    assert [tuple(row) for row in shop.execute("select state, reason from loyalty.staff_messages")] == [
        ("withheld", "no address: set LOYALTY_STAFF_EMAIL")
    ]


def test_a_broken_layout_keeps_no_alert_back(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Word of a failed run goes out to ops even where the layout of one's own is broken, and says that it is."""
    folder = tmp_path_factory.mktemp("templates")
    (folder / "html").mkdir()
    (folder / "html" / "layout.j2").write_text("{{ nothing }}", encoding="utf-8")
    monkeypatch.setenv("LOYALTY_TEMPLATES", str(folder))
    monkeypatch.setenv("LOYALTY_OPS_EMAIL", "ops@example.com")
    monkeypatch.setenv("LOYALTY_STAFF_EMAIL", "staff@example.com")
    alert("Loyalty: x failed", "look at it")
    [email] = _read()

    assert email["To"] == "ops@example.com"
    assert _text(email) == ("look at it\n\n(Without its HTML part: html/layout.j2, line 1: 'nothing' is undefined)\n")

"""The link that ends messages: signed, one click, no login, and nothing happens by looking at it."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import URL

from loyalty.api.app import application
from loyalty.db import consents
from loyalty.db.engine import transaction
from loyalty.messages.unsubscribe import Asked, headers, read_token, secret, token
from tests.messages.conftest import Shop, shop

__all__ = ["shop"]

NOW = datetime(2018, 1, 15, 17, tzinfo=UTC)
ONE_CLICK = {"content": b"List-Unsubscribe=One-Click", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
AGREE = "select email_consent from loyalty.members order by member_no"


@pytest.fixture
def member(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> int:
    """A member who agreed to everything, and whose messages have links."""
    monkeypatch.setenv("LOYALTY_CLOCK", NOW.isoformat())
    return shop.member(language="es-MX")


def link(member: int, purpose: Any, message_no: int = 7) -> str:
    """The path of a link as a message has it."""
    with transaction() as connection:
        own = secret(connection, NOW)
    return f"/unsubscribe/{token(own, Asked(member, message_no, purpose))}"


def call(method: str, path: str, **given: Any) -> httpx.Response:
    """Call the application in this process."""

    async def called() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://loyalty") as client:
            return await client.request(method, path, **given)

    return asyncio.run(called())


def history(member: int) -> list[tuple[str, str, bool, str]]:
    """The consents of a member: channel, purpose, whether given, by what way."""
    with transaction() as connection:
        rows = consents.history(connection, member)
    return [(row["channel"], row["purpose"], row["given"], row["source"]) for row in rows]


def test_one_click_ends_emails(shop: Shop, member: int) -> None:
    """Law: the POST of RFC 8058 withdraws, without a key or a page before; again it changes nothing."""
    path = link(member, "service")
    answers = [call("POST", path, **ONE_CLICK) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert shop.execute(AGREE) == [(False,)]
    assert history(member) == [("email", "service", False, "unsubscribe link")]
    assert shop.execute("select message_no, outcome, reason from loyalty.message_outcomes") == [
        (7, "opted_out", "service")
    ]


def test_looking_ends_nothing(shop: Shop, member: int) -> None:
    """Law: GET shows a page that asks, in the member's language, and neither it nor HEAD changes anything."""
    path = link(member, "marketing")
    page = call("GET", path)

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<html lang="es" dir="ltr">' in page.text
    assert "¿Dejar de recibir ofertas por correo?" in page.text
    assert page.text.count("<button") == 2
    assert "no-store" in page.headers["cache-control"]
    assert call("HEAD", path).status_code == 405
    assert shop.execute(AGREE) == [(True,)]
    assert history(member) == []


def test_a_link_of_an_offer_ends_offers_only(shop: Shop, member: int) -> None:
    """Law: by the link of an offer other e-mails go on; the page's second button ends those, too."""
    path = link(member, "marketing")
    call("POST", path, **ONE_CLICK)
    assert history(member) == [("email", "marketing", False, "unsubscribe link")]
    assert shop.execute(AGREE) == [(True,)]

    call("POST", path, data={"purpose": "service"})
    assert shop.execute(AGREE) == [(False,)]
    assert call("POST", link(member, "service"), data={"purpose": "marketing"}).status_code == 200
    assert len(history(member)) == 2


def test_a_link_is_good_for_years_and_again(shop: Shop, member: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: an old link ends e-mails that were agreed to again since."""
    path = link(member, "service")
    call("POST", path, **ONE_CLICK)
    with transaction() as connection:
        later = datetime(2026, 1, 1, tzinfo=UTC)
        consents.record(connection, [consents.Consent(member, "email", "service", True, later, "api")])
    assert shop.execute(AGREE) == [(True,)]
    monkeypatch.setenv("LOYALTY_CLOCK", "2031-05-05T05:00:00Z")

    assert call("POST", path, **ONE_CLICK).status_code == 200
    assert shop.execute(AGREE) == [(False,)]


def test_nobody_else_makes_a_link(shop: Shop, member: int) -> None:
    """Law: a link with any part changed, or none of ours, is not found, and ends nothing."""
    path = link(member, "service")
    other = shop.member("C2")
    forged = [
        path.replace(f"/{member}-", f"/{other}-"),
        path.replace("-7-", "-8-"),
        path.replace("-s-", "-m-"),
        path[:-1] + ("A" if path[-1] != "A" else "B"),
        path + "A",
        "/unsubscribe/x",
        f"/unsubscribe/{'9' * 100}",
    ]
    for each in forged:
        assert [call(method, each).status_code for method in ("GET", "POST")] == [404, 404]
    assert shop.execute(AGREE) == [(True,), (True,)]


def test_who_is_erased_gets_the_same_answer(shop: Shop, member: int) -> None:
    """Law: a link of somebody who is gone is answered like any, and keeps nothing of them."""
    shop.execute("update loyalty.members set erased_at = :at", at=NOW)

    assert call("POST", link(member, "service"), **ONE_CLICK).status_code == 200
    assert history(member) == []


def test_the_page_speaks_the_browsers_language(database: URL, shop: Shop, member: int) -> None:
    """Law: a member without a language, or with one that we don't speak, gets the page in the browser's."""
    for language in (None, "fi"):
        shop.execute("update loyalty.members set language = :language", language=language)
        page = call("GET", link(member, "service"), headers={"Accept-Language": "de, ar-EG;q=0.8, en;q=0.5"})
        assert '<html lang="ar" dir="rtl">' in page.text


@pytest.mark.parametrize("purpose", ["service", "marketing"])
def test_a_token_says_what_was_signed(purpose: Any) -> None:
    """Law: a token gives back what it was made of under its own secret, and nothing under another one."""
    asked = Asked(12, 345, purpose)
    made = token(b"s" * 32, asked)

    assert read_token(b"s" * 32, made) == asked
    assert read_token(b"t" * 32, made) is None
    assert headers(None) == {}

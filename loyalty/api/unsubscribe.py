"""The page behind the link by which a member ends messages, and the one click of mail programs (RFC 8058).

Only a POST ends anything: programs that look at links before a person does send GET. No login and no key is asked for:
the link is signed, and was sent to the member alone.
"""

from pathlib import Path
from typing import Annotated, Literal, cast
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath
from jinja2 import Environment, FileSystemLoader
from sqlalchemy import Connection

from loyalty import clock
from loyalty.api.repeats import BODY
from loyalty.api.work import in_transaction
from loyalty.db import callbacks, consents
from loyalty.db.callbacks import Told
from loyalty.db.consents import Consent, Purpose
from loyalty.db.statements import run
from loyalty.messages import unsubscribe
from loyalty.messages.unsubscribe import Asked

router = APIRouter(tags=["members"], include_in_schema=False)

SOURCE = "unsubscribe link"
_PLATFORM = "loyalty"  # whose the event at the message is: ours
_LANGUAGES = ("en", "es", "ar")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_PAGE = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
).get_template("unsubscribe.html.j2")

Token = Annotated[str, InPath(max_length=100)]
Stage = Literal["ask", "done", "unknown"]


@router.get(f"{unsubscribe.PATH}{{token}}")
def look(token: Token, request: Request) -> Response:
    """Ask whether messages shall end. Nothing changes."""
    return in_transaction(lambda connection: _page(connection, request, _asked(connection, token), "ask"))


@router.post(f"{unsubscribe.PATH}{{token}}")
def end(token: Token, request: Request) -> Response:
    """End the messages that the link is about, or e-mails altogether where the page's second button says so."""
    form = parse_qs(cast("bytes", request.scope[BODY]).decode("utf-8", "replace"))
    purpose: list[Purpose] = ["service"] if form.get("purpose") == ["service"] else []

    def work(connection: Connection) -> Response:
        asked = _asked(connection, token)
        if asked is not None:
            _end(connection, asked, purpose[0] if purpose else asked.purpose)
        return _page(connection, request, asked, "done")

    return in_transaction(work)


def _asked(connection: Connection, token: str) -> Asked | None:
    return unsubscribe.read_token(unsubscribe.secret(connection, clock.now()), token)


def _end(connection: Connection, asked: Asked, purpose: Purpose) -> None:
    """Withdraw a consent, unless that was done, and note it at the message."""
    now = clock.now()
    run(connection, "outbox/lock_accounts", members=[asked.member_no])
    if consents.holds(connection, asked.member_no, "email", purpose) is not False:
        consents.record(connection, [Consent(asked.member_no, "email", purpose, given=False, at=now, source=SOURCE)])
    told = Told(f"unsubscribe {asked.message_no} {purpose}", asked.message_no, "opted_out", now, purpose)
    callbacks.keep(connection, _PLATFORM, [told])


def _page(connection: Connection, request: Request, asked: Asked | None, stage: Stage) -> Response:
    """The page, in the member's language, or that of the browser."""
    found = run(
        connection, "consent/find_member_of_link", member_no=asked and asked.member_no, as_of=clock.now()
    ).one_or_none()
    language = _language(found and found.language, request.headers.get("accept-language", ""))
    html = _PAGE.render(
        stage="unknown" if asked is None else stage,
        offers=asked is not None and asked.purpose == "marketing",
        programme=found.programme if found else "",
        language=language,
    )
    return Response(html, 200 if asked else 404, _HEADERS, "text/html")


def _language(members: str | None, browsers: str) -> str:
    """The member's, or else the first that the browser asks for and we speak."""
    wanted = [members or "", *(part.partition(";")[0].strip() for part in browsers.split(","))]
    spoken = (each.replace("_", "-").partition("-")[0].lower() for each in wanted)
    return next((each for each in spoken if each in _LANGUAGES), _LANGUAGES[0])

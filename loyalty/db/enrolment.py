"""Members as the API makes, changes and shows them, one at a time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from loyalty.db import consents, identity
from loyalty.db.consents import Channel, Consent
from loyalty.db.members import Row
from loyalty.db.statements import run
from loyalty.errors import BadInput, NotFound, Refused

_JUDGED: Mapping[str, str] = {
    "email": "must be an e-mail address",
    "phone": "must be a telephone number of 5 to 15 digits",
    "birthday": "must not lie ahead",
    "joined_on": "must not lie ahead",
    "time_zone": "must be a zone of the tz database, such as Europe/London",
    "language": "must be a language tag of BCP 47, such as en or pt-BR",
}
_FIELDS = (*_JUDGED, "first_name", "last_name", "email_consent", "sms_consent")
_OFFERS: Mapping[str, Channel] = {"email_offers": "email", "sms_offers": "sms"}


def put_member(connection: Connection, customer_id: str, given: Mapping[str, Any], now: datetime) -> bool:
    """Enrol a customer, or write the fields given into the member; whether the customer was unknown.

    What is not given stays as it is; None empties a field. Beside the member's own fields: `email_offers` and
    `sms_offers`, consents to marketing, and `consent_wording`, the words that were agreed to. Raises BadInput that
    names the fields whose values can't be, Refused for a person who was erased.
    """
    fields = {name: given.get(name) for name in _FIELDS}
    wording = given.get("consent_wording")
    _judge(connection, fields, now)
    enrolled: int | None = run(
        connection, "api/enrol_member", customer_id=customer_id, at=now, wording=wording, **fields
    ).scalar_one_or_none()
    if _OFFERS.keys() & given.keys():  # first: it locks the account, and that comes before the member's row
        member_no = enrolled or run(connection, "api/member_number", customer_id=customer_id).scalar_one_or_none()
        if member_no is None:  # known, and not there any more
            raise Refused("the member is erased")
        _agree_to_offers(connection, member_no, given, now)
    if enrolled is None:
        _change(connection, customer_id, fields, given, now)
    elif fields["email"] or fields["phone"]:
        identity.keep_identifiers(connection, enrolled, fields["phone"])
    return enrolled is not None


def _change(
    connection: Connection, customer_id: str, fields: Mapping[str, Any], given: Mapping[str, Any], now: datetime
) -> None:
    """Write the fields given into a member who is known."""
    said = {name: fields[name] for name in ("email_consent", "sms_consent")}
    if said.keys() & given.keys():
        told = {"at": now, "source": "api", "wording": given.get("consent_wording")}
        run(connection, "consent/note_changes", customer_id=customer_id, **said, **told)
    changed = run(connection, "api/change_member", customer_id=customer_id, given=list(given), at=now, **fields)
    member = changed.one_or_none()
    if member is None:
        raise Refused("the member is erased")
    if "email" in given or "phone" in given:
        identity.keep_identifiers(connection, member.member_no, member.phone)


def _agree_to_offers(connection: Connection, member_no: int, given: Mapping[str, Any], now: datetime) -> None:
    """Keep what was said of offers, where it is news."""
    said = [(channel, given[name]) for name, channel in _OFFERS.items() if given.get(name) is not None]
    consents.record(
        connection,
        [
            Consent(member_no, channel, "marketing", agrees, now, "api", given.get("consent_wording"))
            for channel, agrees in said
            if consents.holds(connection, member_no, channel, "marketing") is not agrees
        ],
    )


def summary(connection: Connection, customer_id: str, now: datetime) -> Row:
    """Read what a till or an app shows of a member: tier, balance and its parts. Raises NotFound if there is none."""
    found = run(connection, "api/member_summary", customer_id=customer_id, at=now).mappings().one_or_none()
    if found is None:
        raise NotFound("there is no member with this customer_id")
    return dict(found)


def entries(connection: Connection, customer_id: str, *, after: int | None, most: int) -> list[Row]:
    """The first `most` entries of a member after an entry, oldest first, as they are exported.

    Raises NotFound if there is no such member.
    """
    member_no = number(connection, customer_id)
    rows = run(connection, "reads/export_entries", member_no=member_no, after=after, most=most)
    return [dict(row) for row in rows.mappings()]


def number(connection: Connection, customer_id: str) -> int:
    """Give a member's number. Raises NotFound if there is no such member."""
    member_no: int | None = run(connection, "api/member_number", customer_id=customer_id).scalar_one_or_none()
    if member_no is None:
        raise NotFound("there is no member with this customer_id")
    return member_no


def _judge(connection: Connection, fields: Mapping[str, Any], now: datetime) -> None:
    judged = {name: fields[name] for name in _JUDGED}
    if all(value is None for value in judged.values()):
        return
    tomorrow = (now + timedelta(days=1)).date()
    wrong = run(connection, "api/judge_member", tomorrow=tomorrow, **judged).scalar_one()
    if wrong:
        raise BadInput([f"/{name}: {_JUDGED[name]}" for name in wrong])

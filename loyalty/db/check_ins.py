"""Check-ins: a location shows a code that changes with the day; who brings it is given points, once a day and location.

A code is "LOYALTY:3:20260301:" and 26 symbols, an HMAC with the programme's secret: nobody else can make one, and one
that was photographed is worth nothing once its day and the grace of the rules are over.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from loyalty.db import triggers
from loyalty.db.grants import Grant
from loyalty.db.members import Row
from loyalty.db.programme import zone
from loyalty.db.programme_secrets import keyed_hash
from loyalty.db.statements import run
from loyalty.db.triggers import Given
from loyalty.errors import AlreadyGiven, BadInput, NotFound, Refused
from loyalty.rules.periods import day_starts_at

_CODE = re.compile(r"LOYALTY:([1-9][0-9]{0,8}):([0-9]{8}):([A-Z2-7]{26})")
_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """A check-in: where, on which day of the code, and what it gave."""

    location: str
    day: date
    given: Given

    @property
    def told(self) -> str:
        """What it was and gave, in a line."""
        return f"checked in at {self.location} on {self.day}: {self.given.told}"


def add_location(connection: Connection, name: str, now: datetime) -> int:
    """Make a location known; its number. Raises Refused if there is one of that name."""
    number: int | None = run(connection, "locations/add", name=name, at=now).scalar_one_or_none()
    if number is None:
        raise Refused("there is a location of that name already")
    return number


def locations(connection: Connection, *, name: str | None = None, location_no: int | None = None) -> list[Row]:
    """The locations, by name; of one name or number where that is given."""
    rows = run(connection, "locations/list", name=name, location_no=location_no)
    return [dict(row) for row in rows.mappings()]


def code(connection: Connection, location_no: int, day: date, now: datetime) -> str:
    """The code that a location shows on a day of the programme."""
    return f"LOYALTY:{location_no}:{day:%Y%m%d}:{_signature(connection, location_no, day, now)}"


def check_in(connection: Connection, customer_id: str, shown: str, now: datetime) -> CheckedIn:
    """Give points for the code that a location shows: once a day of the code, location and member.

    Raises BadInput for what is no code of ours, Refused for one that is not good now or where the rules give nothing,
    AlreadyGiven if it was used, NotFound for no member.
    """
    rules = triggers.rules_at(connection, now)
    if not rules.check_in_points:
        raise Refused("the rules give no points for checking in")
    location_no, day = _read(connection, shown, now)
    _check_time(connection, day, timedelta(minutes=rules.check_in_grace_minutes), now)
    found = locations(connection, location_no=location_no)
    if not found:
        raise NotFound("there is no such location")
    member_no = triggers.locked(connection, customer_id)
    if not triggers.give(connection, member_no, Grant("check_in", f"{day} {location_no}", rules.check_in_points), now):
        raise AlreadyGiven("the member has checked in at this location on this day already")
    given = triggers.given_now(connection, member_no, rules.check_in_points, now)
    return CheckedIn(found[0]["name"], day, given)


def _read(connection: Connection, shown: str, now: datetime) -> tuple[int, date]:
    """The location and the day of a code that is ours."""
    found = _CODE.fullmatch(shown.strip())
    if found is None:
        raise BadInput("/code: not the code of a location")
    try:
        location_no, day = int(found[1]), date.fromisoformat(found[2])
    except ValueError:
        raise BadInput("/code: not the code of a location") from None
    if not hmac.compare_digest(found[3], _signature(connection, location_no, day, now)):
        raise BadInput("/code: not the code of a location")
    return location_no, day


def _check_time(connection: Connection, day: date, grace: timedelta, now: datetime) -> None:
    where = zone(connection)
    if now < day_starts_at(day, where):
        raise Refused("the code is for a day that is still to come")
    if now >= day_starts_at(day + timedelta(days=1), where) + grace:
        raise Refused("the code has expired: scan the one that the location shows today")


def _signature(connection: Connection, location_no: int, day: date, now: datetime) -> str:
    signed = keyed_hash(connection, "check_in", f"check-in|{location_no}|{day}", now)[:_SIGNATURE_BYTES]
    return base64.b32encode(signed).decode().rstrip("=")

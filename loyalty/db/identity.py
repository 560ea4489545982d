"""By what members are known: customer_id, a platform's id, e-mail address, telephone number; docs/identity.md says how.

An e-mail address is compared in small letters, nothing else is done to it. A telephone number is compared as E.164,
one without a country by the setting LOYALTY_PHONE_REGION.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from loyalty.db.statements import run
from loyalty.errors import NotFound, Refused
from loyalty.rules.phones import e164
from loyalty.settings import settings


@dataclass(frozen=True, slots=True)
class PlatformId:
    """What a platform calls a customer."""

    platform: str
    value: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two members, by number, who share identifiers of these kinds and so may be one person."""

    member_no: int
    other_member_no: int
    shared: tuple[str, ...]


def find_member(
    connection: Connection,
    *,
    customer_id: str | None = None,
    platform_id: PlatformId | None = None,
    email: str | None = None,
    phone: str | None = None,
) -> int | None:
    """Find a member's number by the strongest identifier that is known: the order is that of the parameters.

    Who was merged into another is that other. An address or number that several members share identifies nobody.
    None if nobody is known by any. Raises Refused where the strongest identifier that is known is an erased
    person's, and where there is none but shared ones.
    """
    if customer_id is not None:
        found = run(connection, "identity/find_called", customer_id=customer_id).one()
        if found.member_no is not None:
            return int(found.member_no)
        if found.erased:
            raise Refused("the member is erased")
    shared = False
    for kind, platform, value in _weaker(platform_id, email, phone):
        found = run(connection, "identity/find_members", kind=kind, platform=platform, value=value).one()
        if len(found.members) == 1:
            return int(found.members[0])
        if found.erased and not found.members:
            raise Refused("the member is erased")
        shared = shared or bool(found.members)
    if shared:
        raise Refused("more than one member has this address or number: it identifies none of them")
    return None


def know_by(connection: Connection, member_no: int, platform_id: PlatformId) -> None:
    """Make a platform's id known as a member's; again does nothing. Raises Refused if it is another member's."""
    given = {"platform": platform_id.platform, "value": platform_id.value}
    if run(connection, "identity/add_platform_id", **given, member_no=member_no).scalar_one() != member_no:
        raise Refused("this id of the platform is another member's")


def keep_identifiers(connection: Connection, member_no: int, phone: str | None) -> None:
    """Bring a member's identifiers in step with the e-mail address and the telephone number as they are now."""
    number = e164(phone, settings().phone_region)
    run(connection, "identity/keep_identifiers", member_no=member_no, phone_number=number)


def suggestions(connection: Connection, most: int = 1000) -> list[Suggestion]:
    """Pairs of members who may be one person. Nothing is merged by itself."""
    rows = run(connection, "identity/suggest_merges", most=most)
    return [Suggestion(row.member_no, row.other_member_no, tuple(row.shared)) for row in rows]


def customer_id_of(connection: Connection, member_no: int) -> str:
    """Read a member's customer_id. Raises NotFound for no such number."""
    found: str | None = run(connection, "identity/customer_id_of", member_no=member_no).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no member M{member_no}")
    return found


def _weaker(platform_id: PlatformId | None, email: str | None, phone: str | None) -> list[tuple[str, str, str]]:
    """The identifiers given beside the customer_id, the strongest first."""
    number = e164(phone, settings().phone_region)
    given = [
        platform_id and ("platform", platform_id.platform, platform_id.value),
        ("email", "", email) if email else None,
        ("phone", "", number) if number else None,
    ]
    return [each for each in given if each]

"""Whether a message may go now, must wait, or may not go at all, and why: every reason, in one place (semantics 12).

The facts come from outbox/claim_messages, read when the message is about to be sent; `verdict` judges them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from loyalty.db.statements import run
from loyalty.messages.quiet_hours import SendingHours, zone_of
from loyalty.rules.programme import OffersConsent, Programme

OFFERS_COUNTED = timedelta(days=7)
SUPPRESSED = "suppressed: "
"""How the reason of a message begins whose address a provider has given up; what the provider said follows."""


class Circumstances(Protocol):
    """What decides about a message."""

    @property
    def message_no(self) -> int:
        """Its number."""

    @property
    def member_no(self) -> int:
        """Whose it is."""

    @property
    def channel(self) -> Literal["email", "sms"]:
        """By what it is to go."""

    @property
    def purpose(self) -> Literal["service", "marketing"]:
        """What it is for."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it tells; a fact `expires_at` is the instant at which it is no news any more."""

    @property
    def address(self) -> str | None:
        """Where to; None or empty if none is known."""

    @property
    def time_zone(self) -> str | None:
        """The name of the zone in which the member lives, if it is known."""

    @property
    def erased(self) -> bool:
        """Whether the member is gone."""

    @property
    def consents(self) -> bool:
        """Whether the member agrees to the channel."""

    @property
    def consents_to_offers(self) -> bool | None:
        """What the member last said of offers on the channel; None for who never said anything."""

    @property
    def suppressed(self) -> str | None:
        """Why a provider will not send to the address."""

    @property
    def stale(self) -> bool:
        """Whether what it tells is no longer so."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the rules say of sending; `zone` is the programme's."""

    hours: SendingHours
    quiet_email: bool
    offers_consent: OffersConsent
    offers_week_max: int | None
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be done with a message: `withheld` for a reason, `queued` until an instant, or else sent."""

    withheld: str | None = None
    not_before: datetime | None = None

    @property
    def may_go(self) -> bool:
        """Whether it may be sent now."""
        return self.withheld is None and self.not_before is None


MAY_GO = Verdict()
C = TypeVar("C", bound=Circumstances)


def policy(rules: Programme, zone: ZoneInfo) -> Policy:
    """What these rules say of sending, in a programme of that zone."""
    hours = SendingHours(rules.sms_from, rules.sms_until)
    return Policy(hours, rules.quiet_email, rules.offers_consent, rules.offers_week_max, zone)


def verdict(asked: Circumstances, kept: Policy, as_of: datetime, offers: int = 0) -> Verdict:
    """Judge one message at an instant; `offers` is how many the member got in the seven days before."""
    reason = _forbidden(asked, kept, as_of) or _too_many(asked, kept, offers)
    if reason:
        return Verdict(withheld=reason)
    if asked.channel == "email" and not kept.quiet_email:
        return MAY_GO  # it waits to be read anyway
    return Verdict(not_before=kept.hours.wait(as_of, zone_of(asked.time_zone, kept.zone)))


def verdicts(connection: Connection, batch: Sequence[C], kept: Policy, as_of: datetime) -> dict[int, Verdict]:
    """Judge the messages of a batch, in order, by number: of several offers to a member, those above the most go not.

    Who is to get an offer is locked until the transaction ends, where their number is limited, so that another
    delivery counts those of this one; it must say by then that they are sent, or on their way.
    """
    offers = _offers(connection, batch, kept, as_of)
    judged: dict[int, Verdict] = {}
    for asked in batch:
        one = verdict(asked, kept, as_of, offers[asked.member_no])
        if one.may_go and asked.purpose == "marketing":
            offers[asked.member_no] += 1
        judged[asked.message_no] = one
    return judged


def _forbidden(asked: Circumstances, kept: Policy, as_of: datetime) -> str | None:
    """Why it may never go, by what is known of member, address and content."""
    if asked.erased:
        return "erased"
    if not asked.consents:
        return "no consent"
    if asked.purpose == "marketing" and not _agrees_to_offers(asked, kept):
        return "no consent to offers"
    if not (asked.address or "").strip():
        return "no address"
    if asked.suppressed:
        return f"{SUPPRESSED}{asked.suppressed}"
    return "stale" if asked.stale or _expired(asked.facts, as_of) else None


def _agrees_to_offers(asked: Circumstances, kept: Policy) -> bool:
    return kept.offers_consent == "included" if asked.consents_to_offers is None else asked.consents_to_offers


def _expired(facts: Mapping[str, Any], as_of: datetime) -> bool:
    """Whether what the message tells of is over. An instant that can't be read is left to whoever checks the facts."""
    try:
        return datetime.fromisoformat(facts.get("expires_at", "")) <= as_of
    except (TypeError, ValueError):
        return False


def _too_many(asked: Circumstances, kept: Policy, offers: int) -> str | None:
    if asked.purpose != "marketing" or kept.offers_week_max is None or offers < kept.offers_week_max:
        return None
    return "too many offers in a week"


def _offers(connection: Connection, batch: Sequence[C], kept: Policy, as_of: datetime) -> Counter[int]:
    """How many offers the members of a batch got in the seven days before, where that matters."""
    members = sorted({asked.member_no for asked in batch if asked.purpose == "marketing"})
    if kept.offers_week_max is None or not members:
        return Counter()
    run(connection, "outbox/lock_accounts", members=members)
    counted = run(connection, "outbox/count_offers", members=members, since=as_of - OFFERS_COUNTED)
    return Counter({row.member_no: row.offers for row in counted})

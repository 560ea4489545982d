"""What a message tells of: the facts that a step wrote into the outbox, by kind of message.

A kind is registered here once. Its templates are KIND.LANGUAGE.email.j2 or KIND.LANGUAGE.sms.j2; they see the fields
of its facts by name. Facts never hold personal data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from loyalty.errors import BadInput
from loyalty.rules.money import MINOR_DIGITS


def _first_of_month(text: object) -> object:
    return f"{text}-01" if isinstance(text, str) else text


def _known_currency(currency: str) -> str:
    if currency not in MINOR_DIGITS:
        raise ValueError("must be a currency of ISO 4217")
    return currency


Month = Annotated[date, BeforeValidator(_first_of_month)]
Currency = Annotated[str, AfterValidator(_known_currency)]


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher as a message shows it: `amount` in minor units, good until just before `expires_at`."""

    code: str
    amount: int
    currency: str
    expires_at: datetime


class Facts(BaseModel):
    """What one message tells of. A fact that no template asks for is left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PointsCredited(Facts):
    """Points of a closed month."""

    period: Month
    points: int
    balance: int


class TierUpgrade(Facts):
    """A move up, with what it brought; the voucher's value is read when the message is sent."""

    tier: str
    from_tier: str = Field(alias="from")
    gift: str | None = None


class TierAtRisk(Facts):
    """A tier that is safe only until the month `held_until` begins."""

    tier: str
    qualifying_points: int
    threshold: int
    held_until: date


class TierChangedDown(Facts):
    """A move down by one step."""

    tier: str
    from_tier: str = Field(alias="from")


class VoucherFacts(Facts):
    """A voucher, whole."""

    code: str
    amount: int
    currency: Currency
    expires_at: AwareDatetime

    def voucher(self) -> Voucher:
        """The voucher that the message shows."""
        return Voucher(self.code, self.amount, self.currency, self.expires_at)


class VoucherIssued(VoucherFacts):
    """A new voucher."""


class VoucherExpiring(VoucherFacts):
    """A voucher whose last days have come."""


class PointsExpiring(Facts):
    """Points whose last days have come."""

    points: int
    expires_at: AwareDatetime


KINDS: Mapping[str, type[Facts]] = {
    "points_credited": PointsCredited,
    "tier_upgrade": TierUpgrade,
    "tier_at_risk": TierAtRisk,
    "tier_changed_down": TierChangedDown,
    "voucher_issued": VoucherIssued,
    "voucher_expiring": VoucherExpiring,
    "points_expiring": PointsExpiring,
}
"""Every kind of message; the database's type message_kind lists the same."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What one message tells whom, whatever the channel. `multiplier` is that of the tier in the facts, if known.

    `unsubscribe_url` ends messages like this one, if there is such an address.
    """

    kind: str
    facts: Facts
    first_name: str = ""
    voucher: Voucher | None = None
    multiplier: Decimal | None = None
    unsubscribe_url: str | None = None


def read_facts(kind: str, facts: Mapping[str, Any]) -> Facts:
    """The facts of an outbox row, checked. Raises BadInput that names what is missing or wrong, without its value."""
    if kind not in KINDS:
        raise BadInput(f"{kind} is no kind of message")
    try:
        return KINDS[kind].model_validate(facts)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise BadInput(f"fact {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

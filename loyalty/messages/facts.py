"""What a message tells of: the facts that a step wrote into the outbox, by kind of message.

A kind is registered here once. Its templates are KIND.LANGUAGE.email.j2 and KIND.LANGUAGE.sms.j2; they see the fields
of its facts by name. Facts never hold personal data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from loyalty.errors import BadInput
from loyalty.rules.money import MINOR_DIGITS
from loyalty.rules.programme import Measure, Per, Span, Watched


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
    """What one message tells of. A fact that no template asks for is left aside.

    `marketing` says that only who agreed to offers gets it. `wordy` are the facts that a text message may shorten.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    marketing: ClassVar[bool] = False
    wordy: ClassVar[tuple[str, ...]] = ()

    @property
    def over_at(self) -> datetime | None:
        """The instant from which on the message has nothing to tell any more, by its facts alone."""
        return None


class PointsCredited(Facts):
    """Points of a closed month."""

    period: Month
    points: int
    balance: int


class TierUpgrade(Facts):
    """A move up, with what it brought; the voucher's value is read when the message is sent."""

    wordy: ClassVar = ("tier", "from_tier", "gift")

    tier: str
    from_tier: str = Field(alias="from")
    gift: str | None = None


class TierAtRisk(Facts):
    """A tier that is safe only until the month `held_until` begins."""

    wordy: ClassVar = ("tier",)

    tier: str
    qualifying_points: int
    threshold: int
    held_until: date


class TierChangedDown(Facts):
    """A move down by one step."""

    wordy: ClassVar = ("tier", "from_tier")

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

    @property
    def over_at(self) -> datetime | None:
        """A voucher that is over is no news."""
        return self.expires_at


class VoucherIssued(VoucherFacts):
    """A new voucher."""


class VoucherExpiring(VoucherFacts):
    """A voucher whose last days have come."""


class PointsExpiring(Facts):
    """Points whose last days have come."""

    points: int
    expires_at: AwareDatetime

    @property
    def over_at(self) -> datetime | None:
        """Points that have expired can't be spent any more."""
        return self.expires_at


class Welcome(Facts):
    """A new member, with the points to begin with, if any."""

    points: int | None = None


class Birthday(Facts):
    """A birthday, with the points it brought, if any."""

    points: int | None = None


class BonusCredited(Facts):
    """Points for anything but a purchase; `reason_kind` is the kind of the entry, such as referral."""

    reason_kind: str | None = None
    points: int
    balance: int


class PersonalOffer(Facts):
    """What a campaign offers one member, in the campaign's own words; `amount` is minor units of `currency`.

    `voucher` is a code; what it is worth and how long is read when the message is sent.
    """

    marketing: ClassVar = True
    wordy: ClassVar = ("text",)

    campaign: str | None = None
    text: str
    amount: int | None = None
    currency: Currency | None = None
    expires_at: AwareDatetime | None = None

    @property
    def over_at(self) -> datetime | None:
        """An offer ends when it says so."""
        return self.expires_at


class RedemptionReceipt(Facts):
    """Points spent; `worth` is minor units of `currency`, `balance` what was left then."""

    points: int
    worth: int
    currency: Currency
    balance: int
    at: AwareDatetime
    reference: str | None = None


class RefundTakenBack(Facts):
    """Points that a refund took back; `owed` are those that were spent already."""

    points: int
    balance: int
    owed: int = 0


KINDS: Mapping[str, type[Facts]] = {
    "points_credited": PointsCredited,
    "tier_upgrade": TierUpgrade,
    "tier_at_risk": TierAtRisk,
    "tier_changed_down": TierChangedDown,
    "voucher_issued": VoucherIssued,
    "voucher_expiring": VoucherExpiring,
    "points_expiring": PointsExpiring,
    "welcome": Welcome,
    "birthday": Birthday,
    "bonus_credited": BonusCredited,
    "personal_offer": PersonalOffer,
    "redemption_receipt": RedemptionReceipt,
    "refund_taken_back": RefundTakenBack,
}
"""Every kind of message; the database's type message_kind lists the same."""


class Gift(Facts):
    """A gift that waits to be sent: the task by which the books know it, what it is, the day since when."""

    task: str
    gift: str
    since: date


class GiftToDispatch(Facts):
    """Gifts that the warehouse hears of."""

    gifts: tuple[Gift, ...]


class Limit(Facts):
    """A limit of the rules: the most that is allowed of somebody in a window, or the hours that must be between."""

    kind: Watched
    most: int | None = None
    of: Measure | None = None
    per: Per | None = None
    window: Span | None = None
    hours: int | None = None


class LimitBreached(Facts):
    """An event held because it breaks a limit of the rules: its number, its kind, which limit, and that in English."""

    number: int
    kind: str
    reason: str
    limit: Limit


STAFF_KINDS: Mapping[str, type[Facts] | None] = {
    "review_waiting": None,
    "review_reminder": None,
    "review_overdue": None,
    "review_code": None,
    "gift_to_dispatch": GiftToDispatch,
    "limit_breached": LimitBreached,
}
"""Every kind of message to staff that the database queues; those without facts tell of an approval."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What one message tells whom, whatever the channel. `multiplier` is that of the tier in the facts, if known.

    `unsubscribe_url` stands at the end of an e-mail, where it is given.
    """

    kind: str
    facts: Facts
    first_name: str = ""
    voucher: Voucher | None = None
    multiplier: Decimal | None = None
    unsubscribe_url: str | None = None


def read_facts(kind: str, facts: Mapping[str, Any]) -> Facts:
    """The facts of an outbox row, checked. Raises BadInput that names what is missing or wrong, without its value."""
    known = KINDS.get(kind) or STAFF_KINDS.get(kind)
    if known is None:
        raise BadInput(f"{kind} is no kind of message")
    try:
        return known.model_validate(facts)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise BadInput(f"fact {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

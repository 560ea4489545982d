"""The rules of a programme as a model: every key, its default and what is allowed. Semantics in one place.

A key that is off is None in Python. Amounts of money are Decimals in major units of the programme's currency.
"""

from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from loyalty.errors import BadInput
from loyalty.rules.allowed import Choice, Code, Day, Number, Switch, Tables, Text, TimeOfDay, Whole, Words
from loyalty.rules.money import MINOR_DIGITS, decimals

MOST_TIERS = 20
MOST_LIMITS = 50
HANDLE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"  # how people are named: never by an e-mail address
LABEL = r"[a-z][a-z0-9_]{0,29}"  # reason codes, channels
MOST_POINTS = 1_000_000_000
MOST_MONEY = 1_000_000

Earning = Literal["monthly", "on_purchase"]
SpendWindow = Literal["period", "last_30_days"]
Enrolment = Literal["first_purchase", "registration"]
Shortfall = Literal["owe", "write_off"]
Qualify = Literal["trailing_12_months", "lifetime", "period"]
Downgrade = Literal["one_step", "never"]
Overdue = Literal["lapse", "escalate"]
Watched = Literal["earn", "redeem", "redeem_after_change", "refund_after_redemption"]
Per = Literal["member", "till", "staff", "location"]
Span = Literal["hour", "day", "month"]
Measure = Literal["points", "events"]
OffersConsent = Literal["included", "separate"]
Flag = Annotated[bool, Switch()]
_Bonus = Annotated[int, Whole(0, 1_000_000)]


class Tier(BaseModel):
    """A rung of the ladder."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Text(40)]
    """What members call it. A new name is a new tier; members who hold a tier keep it from being renamed."""
    threshold: Annotated[int, Whole(0, 1_000_000_000_000)]
    """Qualifying points from which on a member belongs here: 0 in the first tier, then always more."""
    multiplier: Annotated[Decimal, Number(1000, places=4)] = Decimal(1)
    """What the points of a purchase are multiplied by while a member holds this tier."""
    review: Flag = False
    """Whether a manager must approve an upgrade into this tier."""
    voucher: Annotated[Decimal, Number(MOST_MONEY, places=3, written=2)] = Decimal("0.00")
    """Voucher that an upgrade into this tier brings, in money. 0 is none."""
    gift: Annotated[str, Text(200, empty=True)] = ""
    """Gift that the warehouse sends on an upgrade into this tier. "" is none."""


class Velocity(BaseModel):
    """A limit above which what a till tells is held until a person has seen it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: Annotated[Watched, Choice(get_args(Watched))]
    """What is watched: purchases, redemptions, redemptions soon after a change of e-mail address or phone number, or
    refunds soon after a redemption of the same member."""
    per: Annotated[Per, Choice(get_args(Per))] = "member"
    """Of whom earn and redeem are counted. What names no till, person or location isn't counted for them."""
    window: Annotated[Span, Choice(get_args(Span))] = "day"
    """The hours, days or months, in the programme's zone, for which they are counted."""
    of: Annotated[Measure, Choice(get_args(Measure))] = "events"
    """Whether their points are counted, or how many there are."""
    most: Annotated[int | None, Whole(0, MOST_POINTS, word="off")] = None
    """The most of them in a window; earn and redeem need it."""
    hours: Annotated[int | None, Whole(1, 8760, word="off")] = None
    """How soon is too soon, for the kinds that ask it."""


DEFAULT_LADDER = (
    Tier(name="Bronze", threshold=0),
    Tier(name="Silver", threshold=120, voucher=Decimal("5.00")),
    Tier(name="Gold", threshold=250, multiplier=Decimal("1.25"), review=True, voucher=Decimal("10.00")),
    Tier(
        name="Platinum",
        threshold=550,
        multiplier=Decimal("1.5"),
        review=True,
        voucher=Decimal("25.00"),
        gift="Platinum welcome box",
    ),
)


class Programme(BaseModel):
    """The rules of a programme, whole and checked. Equal rules are equal values."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)

    name: Annotated[str, Text(80)] = "Loyalty"
    """What members know the programme as."""
    currency: Annotated[
        str, Code(frozenset(MINOR_DIGITS), says='a currency code of ISO 4217 in capitals, such as "USD"')
    ] = "USD"
    """The money in which spend is measured and vouchers are issued. Fixed once a transaction is recorded."""
    starts_on: Annotated[date, Day(1900, 2199)] = date(1990, 1, 1)
    """Nothing that happened earlier is taken in."""
    languages: Annotated[
        tuple[str, ...],
        Words('language codes such as "en" or "pt-BR"', r"[a-z]{2,3}(-[A-Z]{2})?", least=1, most=20),
    ] = ("en", "es", "ar")
    """Languages of the messages; the first is for members whose own is not among them."""

    rate: Annotated[Decimal, Number(MOST_MONEY, places=6, written=2)] = Decimal("0.10")
    """Points for one major unit of eligible money, before the tier's multiplier."""
    earning: Annotated[Earning, Choice(get_args(Earning))] = "monthly"
    """Whether points are posted when the month closes, or at once and evened out when it closes."""
    window: Annotated[SpendWindow, Choice(get_args(SpendWindow))] = "period"
    """What the reported monthly spend covers: the month, or the 30 days to its end. It moves no points."""
    pending_days: Annotated[int, Whole(0, 366)] = 0
    """Days from the sale until its points can be spent and count for the tier."""
    earn_on_tax: Flag = False
    """Whether the tax in an amount earns points."""
    earn_on_shipping: Flag = False
    """Whether shipping earns points."""
    earn_on_tip: Flag = False
    """Whether tips earn points."""
    earn_on_fee: Flag = False
    """Whether fees earn points."""
    earn_on_gift_card: Flag = False
    """Whether gift cards bought earn points."""
    earn_on_paid_with_points: Flag = False
    """Whether the part paid with points or vouchers earns points."""
    shortfall: Annotated[Shortfall, Choice(get_args(Shortfall))] = "owe"
    """When a refund takes back points already spent: the member owes them, or they are written off."""

    expiry_months: Annotated[int | None, Whole(1, 600, word="never")] = 12
    """Points expire at the end of the month that lies so many months after the one they were booked in."""
    expiry_warning_days: Annotated[int, Whole(1, 366)] = 30
    """Days ahead of an expiry at which the member is told."""
    undo_grace_days: Annotated[int, Whole(0, 366)] = 7
    """Days that points keep which come back, by an undone redemption, after they would have expired."""

    qualify: Annotated[Qualify, Choice(get_args(Qualify))] = "trailing_12_months"
    """The sales whose points, net of refunds, decide the tier."""
    hold_months: Annotated[int, Whole(0, 120)] = 3
    """Months for which a tier is kept after a close at which the member last qualified for it."""
    downgrade: Annotated[Downgrade, Choice(get_args(Downgrade))] = "one_step"
    """What happens when those months are over."""

    review_above_points: Annotated[int | None, Whole(1, MOST_POINTS, word="off")] = None
    """Any upgrade of a member who earns this many points in the month needs a manager, whatever the tier."""
    review_days: Annotated[int, Whole(1, 366)] = 14
    """Days that a manager has to decide."""
    review_overdue: Annotated[Overdue, Choice(get_args(Overdue))] = "lapse"
    """What becomes of a review that nobody decided in time. It is never approved by silence."""
    review_reminder_days: Annotated[int | None, Whole(1, 366, word="off")] = 3
    """Days ahead of that at which managers are reminded."""
    review_again_months: Annotated[int, Whole(0, 120)] = 6
    """Months for which a rejected upgrade is not proposed again."""
    approvers: Annotated[
        tuple[str, ...],
        Words(
            "handles of 1 to 40 letters, digits and . _ - (no e-mail addresses)",
            HANDLE,
            least=0,
            most=200,
            private=True,
        ),
    ] = ()
    """Who may decide reviews, by handle. Empty: anybody."""
    review_code: Flag = False
    """Whether a decision needs the one-time code that comes with the message to the managers."""
    change_rules_alone: Flag = False
    """Whether a change of the rules that is asked for in the Prefect UI needs no second person to approve it."""

    reward_again_months: Annotated[int, Whole(0, 120)] = 12
    """Months for which the same tier brings the same member no second reward."""
    voucher_days: Annotated[int, Whole(1, 3660)] = 90
    """Days for which a voucher is valid; it ends with the last of them."""
    voucher_warning_days: Annotated[int, Whole(1, 366)] = 14
    """Days ahead of a voucher's end at which the member is told."""

    redemption_minimum: Annotated[int, Whole(1, MOST_POINTS)] = 1
    """Fewest points that can be redeemed at once."""
    redemption_step: Annotated[int, Whole(1, MOST_POINTS)] = 1
    """Points can be redeemed in multiples of this."""
    redemption_day_max: Annotated[int | None, Whole(1, MOST_POINTS, word="off")] = None
    """Most points that a member can redeem in a day."""
    point_value: Annotated[Decimal, Number(MOST_MONEY, places=6, written=2)] = Decimal("0.01")
    """What a point is worth, in money: the liability in the reports is the points outstanding times this."""
    hold_minutes: Annotated[int, Whole(1, 10_080)] = 15
    """Minutes after which points or a voucher held at a checkout are released."""
    adjust_alone_max: Annotated[int, Whole(0, MOST_POINTS)] = 500
    """Most points of a manual adjustment that needs no second person."""
    enrolment: Annotated[Enrolment, Choice(get_args(Enrolment))] = "first_purchase"
    """What enrols a customer of whom a till tells: the first purchase, or a registration, for which purchases wait."""
    adjust_reasons: Annotated[tuple[str, ...], Words("reason codes of small letters, digits and _", LABEL, 1, 50)] = (
        "goodwill",
        "complaint",
        "missing_points",
        "mistake",
        "other",
    )
    """Reason codes of manual adjustments."""
    claim_days: Annotated[int, Whole(0, 3660)] = 30
    """Days after a purchase in which its customer may register to have its points. Files enrol at once."""
    receipts: Flag = False
    """Whether a member gets a receipt for points spent, and word of points that a refund takes back at once."""

    registration_points: _Bonus = 0
    """Points for registering, once. 0 is off, here and below."""
    profile_points: _Bonus = 0
    """Points for a complete profile (e-mail, phone, birthday and both names), once."""
    referral_points: _Bonus = 0
    """Points for referring somebody who then buys."""
    referred_points: _Bonus = 0
    """Points for whoever was referred, at the first purchase after it."""
    referral_year_max: Annotated[int | None, Whole(1, 100_000, word="off")] = 10
    """Most referrals of a calendar year that one member is given points for."""
    share_points: _Bonus = 0
    """Points for sharing on a channel: once a day and channel."""
    share_channels: Annotated[tuple[str, ...], Words("channels of small letters, digits and _", LABEL, 1, 20)] = (
        "facebook",
        "instagram",
        "tiktok",
        "whatsapp",
        "x",
    )
    """Channels that members are given points for sharing on."""
    check_in_points: _Bonus = 0
    """Points for checking in with the code of a location: once a day and location."""
    check_in_grace_minutes: Annotated[int, Whole(0, 720)] = 60
    """Minutes after its day for which a location's code is still good."""
    birthday_points: _Bonus = 0
    """Points for a birthday, once a year; one on 29 February falls on the 28th in a common year."""
    anniversary_points: _Bonus = 0
    """Points for each anniversary of the day on which a member joined."""
    visit_points: _Bonus = 0
    """Points for every so many visits: days on which a member bought, from the month on that this rule begins."""
    visits_each: Annotated[int, Whole(1, 10_000)] = 10
    """How many visits that takes."""
    milestone_days: Annotated[int, Whole(0, 366)] = 7
    """Days back for which a late daily run makes up: birthdays, anniversaries, registrations."""

    sms_from: Annotated[time, TimeOfDay()] = time(8)
    """No text message is sent before this, in the member's own zone."""
    sms_until: Annotated[time, TimeOfDay()] = time(21)
    """No text message is sent from this time on."""
    quiet_email: Flag = False
    """Whether e-mails keep to these hours, too."""

    offers_consent: Annotated[OffersConsent, Choice(get_args(OffersConsent))] = "included"
    """Whether who agrees to a channel agrees to offers on it until taking that back, or must agree to them apart."""
    offers_week_max: Annotated[int | None, Whole(1, 1000, word="off")] = None
    """Most offers that a member is sent in any seven days. What is above that is not sent."""

    tiers: Annotated[tuple[Tier, ...], Tables("tiers", MOST_TIERS)] = DEFAULT_LADDER
    """The ladder, from the tier in which members begin upwards."""

    velocity: Annotated[tuple[Velocity, ...], Tables("velocity", MOST_LIMITS, least=0)] = ()
    """Limits, each under a line [[velocity]], above which a purchase, refund or redemption is held for review; none
    unless given."""

    @field_validator("sms_until")
    @classmethod
    def _after_sms_from(cls, until: time, info: ValidationInfo) -> time:
        """Text messages have some time in the day."""
        earliest = info.data.get("sms_from")
        if earliest is not None and until <= earliest:
            problem = f'must be later than sms_from, which is "{earliest:%H:%M}", not "{until:%H:%M}"'
            raise PydanticCustomError("not_allowed", "{problem}", {"problem": problem})
        return until

    @field_validator("tiers")
    @classmethod
    def _climbing(cls, tiers: tuple[Tier, ...], info: ValidationInfo) -> tuple[Tier, ...]:
        """A ladder climbs, and its vouchers can be paid in the currency."""
        mistakes = [*_threshold_mistakes(tiers), *_name_mistakes(tiers)]
        if "currency" in info.data:
            mistakes += _voucher_mistakes(tiers, info.data["currency"])
        _refuse("tiers", "tier", mistakes)
        return tiers

    @field_validator("velocity")
    @classmethod
    def _limiting(cls, velocity: tuple[Velocity, ...]) -> tuple[Velocity, ...]:
        """Each limit says what it needs, and nothing that it doesn't."""
        _refuse("velocity", "limit", [mistake for at, limit in enumerate(velocity) for mistake in _limits(at, limit)])
        return velocity

    def tier(self, name: str) -> Tier:
        """Give the tier of that name; BadInput, which lists them, if there is none."""
        for tier in self.tiers:
            if tier.name == name:
                return tier
        raise BadInput(f"no tier has that name: the tiers are {', '.join(tier.name for tier in self.tiers)}")


Mistake = tuple[int, str, str]  # the table's place from 0, the key, what is wrong with it


def _refuse(key: str, called: str, mistakes: list[Mistake]) -> None:
    if mistakes:
        problem = "; ".join(f"{called} {index + 1}: {key}: {text}" for index, key, text in mistakes)
        raise PydanticCustomError("tables", "{problem}", {"problem": problem, "key": key, "mistakes": mistakes})


def _limits(at: int, limit: Velocity) -> Iterator[Mistake]:
    counted = limit.kind in {"earn", "redeem"}
    needed, other = ("most", "hours") if counted else ("hours", "most")
    if getattr(limit, needed) is None:
        yield at, needed, f'must be given where kind is "{limit.kind}"'
    wrong = [other] if getattr(limit, other) is not None else []
    unset = {key: Velocity.model_fields[key].default for key in ("per", "window", "of")}
    wrong += [] if counted else [key for key, default in unset.items() if getattr(limit, key) != default]
    for key in wrong:
        yield at, key, f'means nothing where kind is "{limit.kind}": leave it out'


def _threshold_mistakes(tiers: tuple[Tier, ...]) -> list[Mistake]:
    first = [(0, "threshold", f"must be 0 for the first tier, not {tiers[0].threshold}")]
    return (first if tiers[0].threshold else []) + [
        (
            index,
            "threshold",
            f"must be above that of the tier before, {below.threshold}, not {tier.threshold}",
        )
        for index, (below, tier) in enumerate(pairwise(tiers), 1)
        if tier.threshold <= below.threshold
    ]


def _name_mistakes(tiers: tuple[Tier, ...]) -> list[Mistake]:
    names = [tier.name.casefold() for tier in tiers]
    return [
        (index, "name", f"must differ from that of tier {names.index(name) + 1}")
        for index, name in enumerate(names)
        if names.index(name) < index
    ]


def _voucher_mistakes(tiers: tuple[Tier, ...], currency: str) -> list[Mistake]:
    digits = MINOR_DIGITS[currency]
    return [
        (index, "voucher", f"must have at most {digits} decimals, as {currency} has, not {tier.voucher}")
        for index, tier in enumerate(tiers)
        if decimals(tier.voucher) > digits
    ]

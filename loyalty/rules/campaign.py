"""A campaign as a person writes it: who, when, what, how much. The file in TOML, or the fields of a form.

Every key is declared here once: errors, the form's help and `loyalty campaigns check` follow. Amounts are in major
units of the programme's currency; days and hours are those of the programme's zone.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from loyalty.errors import BadInput, WrongUse
from loyalty.rules.allowed import Allowed, Choice, Day, Number, Text, Unknown, Whole, Wholes, Words
from loyalty.rules.changes import in_order, value_of
from loyalty.rules.programme import MOST_MONEY, MOST_POINTS
from loyalty.rules.segments import SEGMENTS, Segment
from loyalty.rules.toml import checked_as, kind_of, loaded, text_of, written

Gives = Literal["points", "multiplier", "voucher"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

ORIGIN = "campaign"  # what errors call a campaign that a form makes
MOST_DAYS, MOST_WORDS = 366, 50
_NAME = r"[a-z0-9][a-z0-9-]{0,39}"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_QUOTED = ", in quotes"  # in a file; the fields of a form are written without
_PLACE = r"\S(.{0,98}\S)?"
_OF_PURCHASES = ("minimum", "locations", "channels", "weekdays", "hours", "member_cap")


class Name(Text):
    """A name that can stand in an artifact's key."""

    @property
    def says(self) -> str:
        """The form."""
        return 'a short name of small letters, digits and hyphens, such as "winter-double", in quotes'

    def read(self, value: Any) -> str:
        """Take a word of that form."""
        (word,) = Words("", _NAME, least=1, most=1).read([value])
        return word


class Campaign(BaseModel):
    """A campaign, whole and checked. Equal campaigns are equal values."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)

    name: Annotated[str, Name(40)]
    """What it is known by, once for good."""
    starts_on: Annotated[date, Day(2000, 2199)]
    """The first day, in the programme's zone."""
    ends_on: Annotated[date, Day(2000, 2199)]
    """The last day."""

    gives: Annotated[Gives, Choice(get_args(Gives))]
    """Points for each purchase, a multiplier of the base rate's points, or one personal voucher."""
    points: Annotated[int | None, Whole(1, MOST_POINTS, word="off")] = None
    """Points for each purchase that fits, beside what it earns anyway."""
    multiplier: Annotated[Decimal, Number(100, places=4)] = Decimal(0)
    """2 gives as many points again as the base rate does; the tier's own multiplier does not multiply them."""
    voucher: Annotated[Decimal, Number(MOST_MONEY, places=3, written=2)] = Decimal("0.00")
    """What the voucher is worth."""
    voucher_days: Annotated[int, Whole(1, 3660)] = 30
    """Days for which the voucher is valid; it ends with the last of them."""
    message: Annotated[str, Text(500, empty=True)] = ""
    """What each member of the campaign is written as it begins, with the voucher. Empty: nothing."""

    budget: Annotated[Decimal, Number(1_000_000_000_000, places=3)]
    """The most that is given in all: points, of vouchers money."""
    member_cap: Annotated[int | None, Whole(1, MOST_POINTS, word="off")] = None
    """The most points that one member is given."""
    holdout: Annotated[Decimal, Number(1, places=4)] = Decimal("0.1")
    """The share of its members who get nothing, so that the others can be compared with them. 0 measures nothing."""

    tiers: Annotated[tuple[str, ...], Words("names of tiers", _PLACE, least=0, most=MOST_WORDS)] = ()
    """Members of these tiers. Empty lists are any, here and below."""
    segments: Annotated[
        tuple[Segment, ...],
        Words(f"names of segments ({', '.join(SEGMENTS)})", "|".join(SEGMENTS), least=0, most=len(SEGMENTS)),
    ] = ()
    """Members of one of these segments, as they were last computed."""
    recency: Annotated[tuple[int, ...], Wholes(1, 5)] = ()
    """Members with one of these scores of recency: 5 bought last."""
    frequency: Annotated[tuple[int, ...], Wholes(1, 5)] = ()
    """Members with one of these scores of frequency: 5 buys most often."""
    money: Annotated[tuple[int, ...], Wholes(1, 5)] = ()
    """Members with one of these scores of money: 5 spends most."""

    minimum: Annotated[Decimal, Number(MOST_MONEY, places=3, written=2)] = Decimal("0.00")
    """Purchases of at least so much eligible money."""
    locations: Annotated[tuple[str, ...], Words("locations", _PLACE, least=0, most=MOST_WORDS)] = ()
    """Purchases in these locations, as the tills call them."""
    channels: Annotated[tuple[str, ...], Words("channels", _PLACE, least=0, most=MOST_WORDS)] = ()
    """Purchases by these channels."""
    weekdays: Annotated[
        tuple[Weekday, ...], Words('days of the week such as "monday"', "|".join(WEEKDAYS), least=0, most=7)
    ] = ()
    """Purchases on these days."""
    hours: Annotated[
        tuple[str, ...],
        Words('spans of the day such as "17:00-20:00"', f"{_TIME}-({_TIME}|24:00)", least=0, most=12),
    ] = ()
    """Purchases in these hours, to just before the second time; "22:00-02:00" goes over midnight."""
    product_groups: Annotated[
        tuple[str, ...], Unknown("purchases come without product lines; go by locations, channels or a minimum")
    ] = ()
    """Not known."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        """The keys fit each other."""
        mistakes = list(self._contradictions())
        if mistakes:
            problem = "; ".join(f"{key}: {text}" for key, text in mistakes)
            raise PydanticCustomError("keys", "{problem}", {"problem": problem, "mistakes": mistakes})
        return self

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.ends_on < self.starts_on:
            yield "ends_on", f'must not be before starts_on, which is "{self.starts_on}", not "{self.ends_on}"'
        elif self.ends_on - self.starts_on >= timedelta(days=MOST_DAYS):
            yield "ends_on", f"must be within {MOST_DAYS} days of starts_on"
        given = {"points": self.points is not None, "multiplier": self.multiplier > 0, "voucher": self.voucher > 0}
        for key, there in given.items():
            if there and key != self.gives:
                yield key, f'must be left out of a campaign that gives "{self.gives}"'
        if not given[self.gives]:
            yield self.gives, f'must be given in a campaign that gives "{self.gives}"'
        elif self.gives == "multiplier" and self.multiplier <= 1:
            yield "multiplier", f"must be above 1, not {self.multiplier}"
        if self.holdout > Decimal("0.9"):
            yield "holdout", f"must be at most 0.9, not {self.holdout}"
        yield from self._budget_mistakes()
        for span in self.hours:
            start, _, end = span.partition("-")
            if start == end:
                yield "hours", f'must be spans that last, not "{span}"'

    def _budget_mistakes(self) -> Iterator[tuple[str, str]]:
        if self.budget <= 0:
            yield "budget", "must be above 0"
        elif self.gives == "voucher":
            for key in _OF_PURCHASES:
                if getattr(self, key):
                    yield key, "must be left out: a voucher is given as the campaign begins, not for a purchase"
            if self.budget < self.voucher:
                yield "budget", f"must pay for one voucher of {self.voucher} at least, not {self.budget}"
        elif self.budget != self.budget.to_integral_value():
            yield "budget", f"must be whole points, not {self.budget}"

    @property
    def for_all(self) -> bool:
        """Whether every member takes part, those who join later too."""
        return not (self.tiers or self.segments or self.recency or self.frequency or self.money)

    @property
    def by_segments(self) -> bool:
        """Whether its members are found by segments or scores."""
        return bool(self.segments or self.recency or self.frequency or self.money)

    @property
    def minutes(self) -> list[int]:
        """The spans of the day, from and to in turn, in minutes."""
        return [_minute(moment) for span in self.hours for moment in span.split("-")]


def _minute(moment: str) -> int:
    hour, _, minute = moment.partition(":")
    return int(hour) * 60 + int(minute)


def read(path: Path) -> Campaign:
    """Read a campaign's file. Raises BadInput with one line for each mistake, which names file, line and key."""
    return parse(text_of(path), path.name)


def parse(text: str, origin: str = ORIGIN) -> Campaign:
    """Read the text of a campaign's file. Raises BadInput as `read` does."""
    return checked_as(Campaign, loaded(text, origin), origin, text)


def to_toml(campaign: Campaign) -> str:
    """The keys that are not left as they are, as text that reads back as an equal campaign."""
    default = {key: field.default for key, field in Campaign.model_fields.items() if not field.is_required()}
    return "".join(
        f"{key} = {written(campaign, key)}\n"
        for key in Campaign.model_fields
        if key not in default or getattr(campaign, key) != default[key]
    )


def _text(key: str, title: str) -> Any:  # as `Field` itself
    """A field of the form: empty leaves the key out."""
    key_is, kind = Campaign.model_fields[key], kind_of(Campaign, key)
    told = [" ".join(str(key_is.description).split())]
    if isinstance(kind, Allowed):
        told.append(f"Allowed: {kind.says.removesuffix(_QUOTED)}.")
    if key_is.is_required():
        told.append("It must be given.")
    elif key_is.default:
        told.append(f"Empty: {key_is.default}.")
    return Field(title=title, description=" ".join(told), max_length=500)


def _list(key: str, title: str) -> Any:
    about = " ".join(str(Campaign.model_fields[key].description).split())
    return Field(title=title, description=about, max_length=MOST_WORDS)


class CampaignForm(BaseModel):
    """A campaign as the fields of a form. Numbers are written as in the file; what is left empty is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="What, when and how much", json_schema_extra=in_order)

    name: Annotated[str, _text("name", "Name")] = ""
    starts_on: Annotated[str, _text("starts_on", "First day")] = ""
    ends_on: Annotated[str, _text("ends_on", "Last day")] = ""
    gives: Annotated[Gives, Field(title="Gives", description=Campaign.model_fields["gives"].description)] = "points"
    points: Annotated[str, _text("points", "Points")] = ""
    multiplier: Annotated[str, _text("multiplier", "Multiplier")] = ""
    voucher: Annotated[str, _text("voucher", "Voucher")] = ""
    voucher_days: Annotated[str, _text("voucher_days", "Voucher valid, days")] = ""
    message: Annotated[str, _text("message", "Message")] = ""
    budget: Annotated[str, _text("budget", "Budget")] = ""
    member_cap: Annotated[str, _text("member_cap", "Cap per member")] = ""
    holdout: Annotated[str, _text("holdout", "Held out, share")] = ""
    tiers: Annotated[tuple[str, ...], _list("tiers", "Tiers")] = ()
    segments: Annotated[tuple[Segment, ...], _list("segments", "Segments")] = ()
    recency: Annotated[tuple[int, ...], _list("recency", "Recency")] = ()
    frequency: Annotated[tuple[int, ...], _list("frequency", "Frequency")] = ()
    money: Annotated[tuple[int, ...], _list("money", "Money")] = ()
    minimum: Annotated[str, _text("minimum", "Minimum")] = ""
    locations: Annotated[tuple[str, ...], _list("locations", "Locations")] = ()
    channels: Annotated[tuple[str, ...], _list("channels", "Channels")] = ()
    weekdays: Annotated[tuple[Weekday, ...], _list("weekdays", "Days of the week")] = ()
    hours: Annotated[tuple[str, ...], _list("hours", "Hours")] = ()


def of_form(form: CampaignForm, text: str = "") -> Campaign:
    """The campaign that a form, or the text of a file in its place, asks for.

    Raises BadInput with a line for each mistake, WrongUse if both are given, or nothing.
    """
    given = {key: value for key, value in form.model_dump(exclude_defaults=True).items() if value}
    if text.strip() and given:
        raise WrongUse("give the fields or the text of a whole file, not both")
    if text.strip():
        return parse(text)
    if not given:
        raise WrongUse("nothing is asked for: give the fields, or the text of a file")
    values = {
        key: value_of(Campaign, key, value.strip()) if isinstance(value, str) else value for key, value in given.items()
    }
    try:
        return checked_as(Campaign, {"gives": form.gives, **values}, ORIGIN)
    except BadInput as error:
        raise BadInput(mistake.replace(_QUOTED, "") for mistake in error.mistakes) from error


def check_money(campaign: Campaign, digits: int, currency: str) -> None:
    """See that the amounts can be paid in the programme's currency. Raises BadInput."""
    amounts = ("voucher", "minimum", "budget") if campaign.gives == "voucher" else ("minimum",)
    raise_for = [
        f"{campaign.name}: {key}: must have at most {digits} decimals, as {currency} has, not {amount}"
        for key in amounts
        for amount in [getattr(campaign, key)]
        if amount != round(amount, digits)
    ]
    if raise_for:
        raise BadInput(raise_for)

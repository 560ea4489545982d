"""A change of the rules as a person writes it: the fields of a form, or the text of a whole rules file.

Every field is text as it stands in the rules file, without quotes, and empty means "as it is". So a form can leave
everything open, "never" and "off" can be written, and what is wrong is told by the rules' own errors.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import zip_longest
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from loyalty.errors import BadInput, WrongUse
from loyalty.rules.allowed import Number, Switch, Tables, Whole
from loyalty.rules.programme import MOST_TIERS, Programme, Tier, Velocity
from loyalty.rules.toml import LARGEST_FILE_BYTES, checked, kind_of, parse, written

ORIGIN = "rules"  # what errors call the rules that a form makes
NO_GIFT = "none"
LONGEST_VALUE = 200
_GIFT = f'Gift that the warehouse sends on an upgrade into this tier; "{NO_GIFT}" takes it away.'
_EMPTY = "Empty: as it is."
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")


class Difference(NamedTuple):
    """A key whose value changes, `Gold: threshold` on the ladder; values as TOML writes them, None: there is none."""

    key: str
    before: str | None
    after: str | None


def in_order(schema: dict[str, Any]) -> None:
    """Number the fields of a form: its schema is stored as JSON that keeps no order, and shown by these numbers."""
    for place, field in enumerate(schema["properties"].values()):
        field["position"] = place


def _as_it_is(model: type[BaseModel], key: str, title: str) -> Any:  # as `Field` itself
    """A text field that leaves the rule `key` as it is unless something is written, and says what the rule is for."""
    about = " ".join(str(model.model_fields[key].description).split())
    told = f"{about} Allowed: {kind_of(model, key).says}. {_EMPTY}"
    return Field(title=title, description=told, max_length=LONGEST_VALUE)


class TierChange(BaseModel):
    """What changes of a tier that stands on the ladder."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="A tier that changes", json_schema_extra=in_order)

    tier: Annotated[str, Field(title="Tier", description="Its name, as it stands on the ladder.", max_length=40)]
    threshold: Annotated[str, _as_it_is(Tier, "threshold", "Threshold")] = ""
    multiplier: Annotated[str, _as_it_is(Tier, "multiplier", "Multiplier")] = ""
    review: Annotated[str, _as_it_is(Tier, "review", "Needs a manager")] = ""
    voucher: Annotated[str, _as_it_is(Tier, "voucher", "Voucher")] = ""
    gift: Annotated[str, Field(title="Gift", description=f"{_GIFT} {_EMPTY}", max_length=LONGEST_VALUE)] = ""


class RuleChanges(BaseModel):
    """What changes of the rules. Every other key, and a tier that comes or goes, takes the text of a rules file."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="What changes", json_schema_extra=in_order)

    rate: Annotated[str, _as_it_is(Programme, "rate", "Rate")] = ""
    pending_days: Annotated[str, _as_it_is(Programme, "pending_days", "Pending days")] = ""
    expiry_months: Annotated[str, _as_it_is(Programme, "expiry_months", "Expiry, months")] = ""
    hold_months: Annotated[str, _as_it_is(Programme, "hold_months", "Hold of a tier, months")] = ""
    review_above_points: Annotated[str, _as_it_is(Programme, "review_above_points", "Review above points")] = ""
    reward_again_months: Annotated[str, _as_it_is(Programme, "reward_again_months", "Reward again, months")] = ""
    voucher_days: Annotated[str, _as_it_is(Programme, "voucher_days", "Voucher valid, days")] = ""
    redemption_minimum: Annotated[str, _as_it_is(Programme, "redemption_minimum", "Redemption minimum")] = ""
    point_value: Annotated[str, _as_it_is(Programme, "point_value", "Value of a point")] = ""
    tiers: Annotated[
        tuple[TierChange, ...],
        Field(title="Tiers", description="One entry for each tier that changes.", max_length=MOST_TIERS),
    ] = ()


def changed(rules: Programme, changes: RuleChanges, text: str = "") -> Programme:
    """The rules with the changes made, or those of the text of a rules file.

    Raises BadInput with a line for each mistake, as `parse` does; WrongUse if both are given, or nothing.
    """
    wanted = {key: value for key, value in changes.model_dump(exclude={"tiers"}).items() if value.strip()}
    if text.strip():
        if wanted or changes.tiers:
            raise WrongUse("give the changes or the text of a whole rules file, not both")
        if len(text.encode()) > LARGEST_FILE_BYTES:
            raise BadInput(f"{ORIGIN}: a rules file has at most {LARGEST_FILE_BYTES} bytes")
        return parse(text, ORIGIN)
    if not wanted and not changes.tiers:
        raise WrongUse("nothing is asked for: give a change, or the text of a whole rules file")
    ladder = {tier.name: tier.model_dump() for tier in rules.tiers}
    for change in changes.tiers:
        name = rules.tier(change.tier.strip()).name
        fields = {key: value for key, value in change.model_dump(exclude={"tier"}).items() if value.strip()}
        ladder[name] |= _values(Tier, fields)
    return checked(rules.model_dump() | _values(Programme, wanted) | {"tiers": list(ladder.values())}, ORIGIN)


def differences(before: Programme, after: Programme) -> list[Difference]:
    """Every key that differs, in the order of the rules file; of the ladder, tier by tier."""
    keys = [
        Difference(key, *values)
        for key in Programme.model_fields
        if not isinstance(kind_of(Programme, key), Tables)
        for values in [tuple(written(rules, key) for rules in (before, after))]
        if values[0] != values[1]
    ]
    return [*keys, *_ladder_differences(before, after), *_limit_differences(before, after)]


def _ladder_differences(before: Programme, after: Programme) -> Iterator[Difference]:
    old, new = ({tier.name: _written(tier) for tier in rules.tiers} for rules in (before, after))
    for name in [*new, *(name for name in old if name not in new)]:
        for key in Tier.model_fields:
            before_it, after_it = old.get(name, {}).get(key), new.get(name, {}).get(key)
            if before_it != after_it:
                yield Difference(f"{name}: {key}", before_it, after_it)


def _limit_differences(before: Programme, after: Programme) -> Iterator[Difference]:
    """Limits by their place, each in a line: they have no names."""
    old, new = ([_in_a_line(limit) for limit in rules.velocity] for rules in (before, after))
    for place, (before_it, after_it) in enumerate(zip_longest(old, new), 1):
        if before_it != after_it:
            yield Difference(f"Limit {place}", before_it, after_it)


def _in_a_line(limit: Velocity) -> str:
    return ", ".join(f"{key} = {value}" for key, value in _written(limit).items())


def _written(table: BaseModel) -> dict[str, str]:
    return {key: written(table, key) for key in type(table).model_fields}


def _values(model: type[BaseModel], fields: Mapping[str, str]) -> dict[str, Any]:
    return {key: value_of(model, key, text.strip()) for key, text in fields.items()}


def value_of(model: type[BaseModel], key: str, text: str) -> Any:
    """The value that a text means for the key; what it can't mean stays text, and the rules' check refuses it."""
    match kind_of(model, key):
        case Whole() if text.isdecimal() and _NUMBER.fullmatch(text):
            return int(text)
        case Number() if _NUMBER.fullmatch(text):
            return Decimal(text)
        case Switch() if text in {"true", "false"}:
            return text == "true"
        case _:
            return "" if key == "gift" and text == NO_GIFT else text

"""Programmes at random, for property tests: any that the model allows, drawn from what its own fields say."""

import string
from datetime import date, time
from decimal import Decimal
from functools import singledispatch
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

from loyalty.rules.allowed import Allowed, Choice, Code, Day, Number, Switch, Text, TimeOfDay, Whole, Words
from loyalty.rules.money import MINOR_DIGITS
from loyalty.rules.programme import Programme, Tier, Velocity
from loyalty.rules.toml import TABLES

HANDLES = string.ascii_letters + string.digits


def kind(model: type[BaseModel], key: str) -> Allowed:
    """Give the kind of value that a key of the model takes."""
    return next(found for found in model.model_fields[key].metadata if isinstance(found, Allowed))


@singledispatch
def values(kind: Allowed) -> st.SearchStrategy[Any]:
    """Any value of a kind."""
    raise NotImplementedError(kind)


@values.register
def _(kind: Whole) -> st.SearchStrategy[int | None]:
    numbers = st.integers(kind.low, kind.high)
    return st.none() | numbers if kind.word else numbers


@values.register
def _(kind: Number) -> st.SearchStrategy[Decimal]:
    return st.decimals(0, kind.high, allow_nan=False, places=kind.places)


@values.register
def _(kind: Switch) -> st.SearchStrategy[bool]:
    return st.booleans()


@values.register
def _(kind: Choice) -> st.SearchStrategy[str]:
    return st.sampled_from(kind.words)


@values.register
def _(kind: Text) -> st.SearchStrategy[str]:
    printable = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))
    stripped = st.text(printable, max_size=kind.longest).map(str.strip)
    return stripped if kind.empty else stripped.filter(bool)


@values.register
def _(kind: Code) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(kind.codes))


@values.register
def _(kind: Day) -> st.SearchStrategy[date]:
    return st.dates(date(kind.first, 1, 1), date(kind.last, 12, 31))


@values.register
def _(kind: TimeOfDay) -> st.SearchStrategy[time]:
    return st.times().map(lambda moment: moment.replace(second=0, microsecond=0, fold=0))


@values.register
def _(kind: Words) -> st.SearchStrategy[tuple[str, ...]]:
    word = st.from_regex(kind.form, fullmatch=True)
    return st.lists(word, min_size=kind.least, max_size=5, unique_by=str.casefold).map(tuple)


@st.composite
def ladders(draw: st.DrawFn, currency: str) -> tuple[Tier, ...]:
    """A ladder that climbs, with vouchers that can be paid in the currency."""
    names = draw(st.lists(values(kind(Tier, "name")), min_size=1, max_size=6, unique_by=str.casefold))
    above = draw(st.sets(st.integers(1, 1_000_000_000_000), min_size=len(names) - 1, max_size=len(names) - 1))
    money = st.decimals(0, 1_000_000, allow_nan=False, places=MINOR_DIGITS[currency])
    others = {key: values(kind(Tier, key)) for key in ("multiplier", "review", "gift")}
    return tuple(
        Tier(name=name, threshold=threshold, voucher=draw(money), **draw(st.fixed_dictionaries(others)))
        for name, threshold in zip(names, [0, *sorted(above)], strict=True)
    )


@st.composite
def limits(draw: st.DrawFn) -> Velocity:
    """A limit that says what its kind needs."""
    what = draw(values(kind(Velocity, "kind")))
    if what not in {"earn", "redeem"}:
        return Velocity(kind=what, hours=draw(st.integers(1, 8760)))
    others = {key: values(kind(Velocity, key)) for key in ("per", "window", "of")}
    return Velocity(kind=what, most=draw(st.integers(0, 1_000_000_000)), **draw(st.fixed_dictionaries(others)))


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    """Any programme."""
    keys = [key for key in Programme.model_fields if key not in {*TABLES, "sms_from", "sms_until"}]
    drawn = {key: draw(values(kind(Programme, key))) for key in keys}
    quiet = draw(st.lists(values(TimeOfDay()), min_size=2, max_size=2, unique=True).map(sorted))
    tiers = draw(ladders(drawn["currency"]))
    velocity = tuple(draw(st.lists(limits(), max_size=3)))
    return Programme(**drawn, sms_from=quiet[0], sms_until=quiet[1], tiers=tiers, velocity=velocity)

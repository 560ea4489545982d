"""What requests say and answers tell: the types that bodies and fields are made of."""

import json
import re
from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from loyalty.db.idempotency import digest_of
from loyalty.db.programme import check_ready
from loyalty.errors import BadInput
from loyalty.rules.programme import HANDLE, LABEL

LINE = r"^[^\x00-\x20\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\x9f])?$"
"""A line as files may have it too: no control character, no space at either end."""

NUMBER = "^[0-9]{1,18}$"
REPEATED = r"^[\x21-\x7e]{1,255}$"
_CURRENCY = "^[A-Z]{3}$"
PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        LINE: "must be one line of text, without control characters, and without a space at either end",
        NUMBER: "must be a number, as it was given",
        REPEATED: "must be 1 to 255 printable ASCII characters, and no space",
        _CURRENCY: "must be a currency code of ISO 4217, in capitals",
        f"^{LABEL}$": "must be small letters, digits and _",
        f"^{HANDLE}$": "must be a handle: letters, digits and . _ -",
    }
)
"""What each pattern asks for, in words."""

_AMOUNT = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_INSTANT = re.compile(_DAY.pattern + r"([Tt ][0-9]{2}:.*)?", re.ASCII)


def _amount(given: object) -> object:
    """Let through what is plainly a decimal number: Python would take 1_000, " 1 " and 1e3 for one, too."""
    if isinstance(given, str) and _AMOUNT.fullmatch(given):
        return given
    if isinstance(given, int | float | Decimal) and not isinstance(given, bool):
        return given
    raise ValueError('must be a decimal number as text, such as "99.90"')


def _instant(given: object) -> object:
    if isinstance(given, datetime) or (isinstance(given, str) and _INSTANT.fullmatch(given)):
        return given
    raise ValueError('must be a date and time in ISO 8601, such as "2026-11-01T10:00:00Z"')


def _day(given: object) -> object:
    if isinstance(given, date) or (isinstance(given, str) and _DAY.fullmatch(given)):
        return given
    raise ValueError('must be a day, such as "1990-12-10"')


def _in_utc_too(given: datetime) -> datetime:
    """Let through an instant that every zone has a date for."""
    if not MINYEAR < given.year < MAXYEAR:
        raise ValueError("must be of a year that can be")
    return given


Line = Annotated[str, StringConstraints(min_length=1, pattern=LINE)]
Id = Annotated[Line, StringConstraints(max_length=200)]
"""An id of others' making: a customer's, a transaction's."""

Source = Annotated[Line, StringConstraints(max_length=100)]
Label = Annotated[Line, StringConstraints(max_length=200)]
Trait = Annotated[Line, StringConstraints(max_length=500)]
KEPT_HASHED = "Only a keyed hash is kept, by which one person who refers themselves is found."
Currency = Annotated[str, StringConstraints(pattern=_CURRENCY)]
Points = Annotated[int, Field(ge=1, le=10**15, strict=True)]
Money = Annotated[
    Decimal,
    Field(ge=0, lt=10**15, decimal_places=4),
    BeforeValidator(_amount),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"},
                {"type": "number", "minimum": 0, "exclusiveMaximum": 10**15},
            ]
        }
    ),
]
"""Major units, as text; a JSON number is taken too."""

Instant = Annotated[datetime, BeforeValidator(_instant), AfterValidator(_in_utc_too)]
"""ISO 8601; without an offset it is the programme's own time."""

Day = Annotated[date, BeforeValidator(_day)]


class Body(BaseModel):
    """A body that is taken only if each of its fields is known: a field misspelt is money miscounted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, said: bytes) -> Self:
        """Read what an event said when it came. Raises BadInput for what this release does not take any longer."""
        try:
            return cls.model_validate_json(said)
        except ValidationError as error:
            places = {"/".join(map(str, each["loc"])) for each in error.errors(include_input=False)}
            raise BadInput([f"/{place}: not a value that this field can have" for place in sorted(places)]) from None

    def given(self) -> dict[str, Any]:
        """Every field's value, None where it was left out; instants with their offset."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: _aware(value) if isinstance(value, datetime) else value for name, value in values.items()}

    def digest(self) -> bytes:
        """What tells this content from another, however it is written: 9.9 is 9.90, noon in Berlin eleven in UTC."""
        said = {name: value for name, value in self.given().items() if value is not None}
        return digest_of(json.dumps({name: _plain(value) for name, value in said.items()}, sort_keys=True))


class Nothing(Body):
    """Nothing is to be said, so that a body may be left out; what is said is refused, since it would not be done."""


class Told(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _aware(instant: datetime) -> datetime:
    return instant.replace(tzinfo=_zone()) if instant.tzinfo is None else instant


@cache
def _zone() -> ZoneInfo:
    """The programme's zone, which never changes."""
    return check_ready()

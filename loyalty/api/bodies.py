"""What requests say and answers tell: the types that bodies and fields are made of."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from loyalty.db.idempotency import digest_of
from loyalty.db.programme import check_ready

_LINE = r"^[^\x00-\x20\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\x9f])?$"
"""A line as files may have it too: no control character, no space at either end."""


def _text(given: object) -> object:
    if not isinstance(given, str | datetime):
        raise ValueError("must be a text, in ISO 8601")  # noqa: TRY004 - so that it is told like other mistakes
    return given


Line = Annotated[str, StringConstraints(min_length=1, pattern=_LINE)]
Id = Annotated[Line, StringConstraints(max_length=200)]
"""An id of others' making: a customer's, a transaction's."""

Source = Annotated[Line, StringConstraints(max_length=100)]
Label = Annotated[Line, StringConstraints(max_length=200)]
Trait = Annotated[Line, StringConstraints(max_length=500)]
KEPT_HASHED = "Only a keyed hash is kept, by which one person who refers themselves is found."
Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]
Points = Annotated[int, Field(ge=1, le=10**15, strict=True)]
Money = Annotated[Decimal, Field(ge=0, lt=10**15, decimal_places=4)]
"""Major units, as text; a JSON number is taken too."""

Instant = Annotated[datetime, BeforeValidator(_text)]
"""ISO 8601; without an offset it is the programme's own time."""


class Body(BaseModel):
    """A body that is taken only if each of its fields is known: a field misspelt is money miscounted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def given(self) -> dict[str, Any]:
        """Every field's value, None where it was left out; instants with their offset."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: _aware(value) if isinstance(value, datetime) else value for name, value in values.items()}

    def digest(self) -> bytes:
        """What tells this content from another, however it is written: 9.9 is 9.90, noon in Berlin eleven in UTC."""
        said = {name: value for name, value in self.given().items() if value is not None}
        return digest_of(json.dumps({name: _plain(value) for name, value in said.items()}, sort_keys=True))


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

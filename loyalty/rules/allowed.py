"""What the value of a rule may be: a class for each kind of value.

A kind checks a value, says what is allowed and writes it as TOML. It stands in the annotation of a field, so
that a key of the rules is declared once, in programme.py: model, errors, file and comments follow from it.
"""

import json
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from loyalty.rules.money import decimals

_UNWRITABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, surrogates, line separators
_LONGEST_SHOWN = 40
_MOST_BITS_SHOWN = 128


def shown(value: object) -> str:
    """Show a wrong value in an error: as it stands in the file, on one line, and not all of a long one."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and value.bit_length() > _MOST_BITS_SHOWN:
        return "a number of very many digits"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else f"{value}"
    line = "".join(symbol if symbol.isprintable() else "?" for symbol in text[: _LONGEST_SHOWN + 1])
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}…"


class Checked(ABC):
    """A kind of value: read from TOML or Python."""

    private = False  # whether an error must not repeat the value

    @property
    @abstractmethod
    def says(self) -> str:
        """What is allowed, to follow the words "must be"."""

    @abstractmethod
    def read(self, value: Any) -> object:
        """Check one value; ValueError if it is not allowed."""

    def checked(self, value: object) -> object:
        """Check one value for pydantic; the error says what is allowed."""
        try:
            return self.read(value)
        except ValueError:
            found = "" if self.private else f", not {shown(value)}"
            problem = f"must be {self.says}{found}"
            raise PydanticCustomError("not_allowed", "{problem}", {"problem": problem}) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.checked, handler(source))


class Allowed(Checked):
    """A kind of value that stands on the line of its key: written as TOML, too."""

    @abstractmethod
    def write(self, value: Any) -> str:
        """Write an allowed value as TOML, always in the same way."""


@dataclass(frozen=True)
class Whole(Allowed):
    """A whole number from low to high; `word`, if there is one, stands for none and is None in Python."""

    low: int
    high: int
    word: str | None = None

    @property
    def says(self) -> str:
        """Both bounds, and the word."""
        return f"a whole number from {self.low} to {self.high}" + (f' or "{self.word}"' if self.word else "")

    def read(self, value: Any) -> int | None:
        """Take an int within the bounds, the word or None."""
        if self.word is not None and (value is None or value == self.word):
            return None
        if type(value) is not int or not self.low <= value <= self.high:
            raise ValueError
        return value

    def write(self, value: Any) -> str:
        """Digits, or the word."""
        return f'"{self.word}"' if value is None else str(value)


@dataclass(frozen=True)
class Number(Allowed):
    """An exact number from 0 to high with at most `places` decimals, at least `written` of them written."""

    high: int
    places: int
    written: int = 0

    @property
    def says(self) -> str:
        """The bounds and the decimals."""
        return f"a number from 0 to {self.high} with at most {self.places} decimals"

    def read(self, value: Any) -> Decimal:
        """Take an int or a finite Decimal; a float is no exact number."""
        if type(value) not in {int, Decimal}:
            raise ValueError
        number = Decimal(value)
        if not number.is_finite() or not 0 <= number <= self.high or decimals(number) > self.places:
            raise ValueError
        return number.quantize(Decimal(1).scaleb(-max(self.written, decimals(number)))).copy_abs()

    def write(self, value: Any) -> str:
        """Plain digits, no exponent."""
        return f"{value:f}"


@dataclass(frozen=True)
class Switch(Allowed):
    """True or false."""

    @property
    def says(self) -> str:
        """Both words."""
        return "true or false"

    def read(self, value: Any) -> bool:
        """Take a bool and nothing that merely looks like one."""
        if type(value) is not bool:
            raise ValueError
        return value

    def write(self, value: Any) -> str:
        """As TOML writes it."""
        return "true" if value else "false"


class Quoted(Allowed):
    """A kind that is written in quotes."""

    def write(self, value: Any) -> str:
        """A basic string of TOML, which escapes as JSON does."""
        return json.dumps(str(value), ensure_ascii=False)


@dataclass(frozen=True)
class Choice(Quoted):
    """One word of a few."""

    words: tuple[str, ...]

    @property
    def says(self) -> str:
        """All the words."""
        *most, last = (f'"{word}"' for word in self.words)
        return f"{', '.join(most)} or {last}"

    def read(self, value: Any) -> str:
        """Take one of the words, exactly."""
        if not isinstance(value, str) or value not in self.words:
            raise ValueError
        return value


@dataclass(frozen=True)
class Text(Quoted):
    """A line of at most `longest` characters, without blanks at its ends; `empty` says whether "" will do."""

    longest: int
    empty: bool = False

    @property
    def says(self) -> str:
        """The length."""
        shortest = 0 if self.empty else 1
        return f"one line of {shortest} to {self.longest} characters, no spaces at its ends, in quotes"

    def read(self, value: Any) -> str:
        """Take a str that a database and a terminal can show."""
        if not isinstance(value, str) or len(value) > self.longest or value != value.strip():
            raise ValueError
        if not (value or self.empty) or any(unicodedata.category(symbol) in _UNWRITABLE for symbol in value):
            raise ValueError
        return value


@dataclass(frozen=True)
class Code(Quoted):
    """One of many well-known codes."""

    codes: frozenset[str]
    says: str = ""

    def read(self, value: Any) -> str:
        """Take one of the codes, exactly."""
        if not isinstance(value, str) or value not in self.codes:
            raise ValueError
        return value


@dataclass(frozen=True)
class Day(Quoted):
    """A day from the first of these years to the last."""

    first: int
    last: int

    @property
    def says(self) -> str:
        """The form and the bounds."""
        return f'a day written as "YYYY-MM-DD" in the years {self.first} to {self.last}'

    def read(self, value: Any) -> date:
        """Take ISO text or a date, which TOML also has."""
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            value = date.fromisoformat(value)
        if type(value) is not date or not self.first <= value.year <= self.last:
            raise ValueError
        return value


@dataclass(frozen=True)
class TimeOfDay(Quoted):
    """Hours and minutes."""

    @property
    def says(self) -> str:
        """The form."""
        return 'a time of day written as "HH:MM", from "00:00" to "23:59"'

    def read(self, value: Any) -> time:
        """Take HH:MM or a whole minute."""
        if isinstance(value, str) and re.fullmatch(r"[0-9]{2}:[0-9]{2}", value):
            value = time.fromisoformat(value)
        if not isinstance(value, time) or value.tzinfo or value.second or value.microsecond:
            raise ValueError
        return value

    def write(self, value: Any) -> str:
        """As people write it."""
        return f'"{value:%H:%M}"'


@dataclass(frozen=True)
class Words(Allowed):
    """A list of different words of one form; `what` names them. A private list is not repeated in errors."""

    what: str
    form: str
    least: int
    most: int
    private: bool = False

    @property
    def says(self) -> str:
        """The number and the form."""
        return f"a list of {self.least} to {self.most} different {self.what}"

    def read(self, value: Any) -> tuple[str, ...]:
        """Take a list of words, in their order."""
        if not isinstance(value, list | tuple) or not self.least <= len(value) <= self.most:
            raise ValueError
        if not all(isinstance(word, str) and re.fullmatch(self.form, word) for word in value):
            raise ValueError
        if len({word.casefold() for word in value}) < len(value):
            raise ValueError
        return tuple(value)

    def write(self, value: Any) -> str:
        """One line."""
        return f"[{', '.join(json.dumps(word) for word in value)}]"


@dataclass(frozen=True)
class Wholes(Allowed):
    """A list of different whole numbers from low to high."""

    low: int
    high: int

    @property
    def says(self) -> str:
        """Both bounds."""
        return f"a list of different whole numbers from {self.low} to {self.high}"

    def read(self, value: Any) -> tuple[int, ...]:
        """Take a list of ints within the bounds."""
        if not isinstance(value, list | tuple) or len(set(value)) < len(value):
            raise ValueError
        if not all(type(number) is int and self.low <= number <= self.high for number in value):
            raise ValueError
        return tuple(value)

    def write(self, value: Any) -> str:
        """One line."""
        return f"[{', '.join(map(str, value))}]"


@dataclass(frozen=True)
class Unknown(Allowed):
    """What the product can't know: the key is there so that its error can say why."""

    why: str

    @property
    def says(self) -> str:
        """Nothing is allowed."""
        return f"left out: {self.why}"

    def read(self, value: Any) -> tuple[str, ...]:
        """Take nothing."""
        if value not in ((), []):
            raise ValueError
        return ()

    def write(self, value: Any) -> str:
        """An empty list."""
        return f"[{', '.join(value)}]"


@dataclass(frozen=True)
class Tables(Checked):
    """A list of tables, checked one by one afterwards."""

    heading: str
    most: int
    least: int = 1

    @property
    def says(self) -> str:
        """The number and the form."""
        return f"{self.least} to {self.most} tables, each under a line [[{self.heading}]]"

    def read(self, value: Any) -> list[object]:
        """Take a list of tables."""
        if not isinstance(value, list | tuple) or not self.least <= len(value) <= self.most:
            raise ValueError
        if not all(isinstance(table, Mapping | BaseModel) for table in value):
            raise ValueError
        return list(value)

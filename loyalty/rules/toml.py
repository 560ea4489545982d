"""The rules file: TOML, read with the line of every mistake, and written whole, always the same way."""

import difflib
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from loyalty.errors import BadInput
from loyalty.rules.allowed import Allowed, Checked, Switch, shown
from loyalty.rules.programme import Programme, Tier, Velocity

DEFAULT_FILE = Path(__file__).with_name("programme.toml")
LARGEST_FILE_BYTES = 65_536

TABLES: Mapping[str, type[BaseModel]] = {"tiers": Tier, "velocity": Velocity}
"""The keys whose values are tables, at the end of the file, each under a line [[key]]."""
_CALLED = {"tiers": "tier", "velocity": "limit"}

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[str | int, ...]  # ("rate",) or ("tiers", 1, "threshold")

_INTRODUCTION = """\
The rules of a loyalty programme. `loyalty rules check FILE` finds mistakes, and
`loyalty rules apply FILE --from YYYY-MM` puts the rules in force from that month on; months already
closed keep the rules of their day. A key that is left out takes its default."""

_HEADINGS = {
    "name": "The programme",
    "rate": "Earning",
    "expiry_months": "Expiry",
    "qualify": "Tiers: moving up, staying, moving down",
    "review_above_points": "Reviews of upgrades",
    "reward_again_months": "Rewards and vouchers",
    "redemption_minimum": "Redemptions, adjustments, claims",
    "registration_points": "Points for more than purchases",
    "sms_from": "Quiet hours",
    "offers_consent": "Offers",
    "tiers": "The ladder",
    "velocity": "Limits",
}
_WIDTH = 100
_LONGEST_STATEMENT_LINES = 250


def read(path: Path) -> Programme:
    """Read a rules file. Raises BadInput with one line for each mistake, which names file, line and key."""
    return parse(text_of(path), path.name)


def text_of(path: Path) -> str:
    """The text of a file that people write in TOML. Raises BadInput if it can't be one."""
    name = path.name
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from error
    if len(content) > LARGEST_FILE_BYTES:
        raise BadInput(f"{name}: a rules file has at most {LARGEST_FILE_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{name}: line {line}: not UTF-8; save the file as UTF-8") from error


def parse(text: str, origin: str = "programme.toml") -> Programme:
    """Read the text of a rules file; `origin` is its name in errors. Raises BadInput as `read` does."""
    return checked(loaded(text, origin), origin, text)


def loaded(text: str, origin: str) -> dict[str, Any]:
    """The keys and values of a text in TOML, numbers exact. Raises BadInput that names the line."""
    try:
        return tomllib.loads(text + "\n", parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(_broken(origin, text, _one_line(error))) from error
    except (ValueError, ArithmeticError) as error:
        raise BadInput(f"{origin}: not valid TOML: a number is too large to be read") from error
    except RecursionError as error:
        raise BadInput(f"{origin}: not valid TOML: brackets are nested too deeply") from error


def checked(values: Mapping[str, Any], origin: str, text: str = "") -> Programme:
    """Make a programme of keys and values; missing keys take defaults.

    Raises BadInput as `read` does; the lines it names are those of `text`, from which the values were read.
    """
    return checked_as(Programme, values, origin, text)


def checked_as(model: type[Model], values: Mapping[str, Any], origin: str, text: str = "") -> Model:
    """Make a value of a model whose keys take kinds of loyalty/rules/allowed.py. Raises as `checked` does."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = [mistake for details in error.errors(include_url=False) for mistake in _mistakes(details, model)]
    lines = _line_numbers(text)
    numbered = sorted(((_line(place, lines), place, says) for place, says in found), key=itemgetter(0))
    raise BadInput(_report(origin, line, place, says) for line, place, says in numbered)


def to_toml(programme: Programme) -> str:
    """Write all the rules, commented; reading that gives an equal programme, and then equal text again."""
    blocks = [_comment(_INTRODUCTION)]
    for key in Programme.model_fields:
        if key in _HEADINGS:
            blocks.append(f"# ---- {_HEADINGS[key]} ".ljust(_WIDTH, "-"))
        if key not in TABLES:
            blocks.append(f"{_about(Programme, key)}\n{_setting(programme, key)}")
            continue
        model = TABLES[key]
        blocks.append(_comment(f"{Programme.model_fields[key].description}"))
        blocks.append("\n".join(_about(model, each, f"{each}: ") for each in model.model_fields))
        blocks += [
            "\n".join([f"[[{key}]]", *(_setting(table, each) for each in model.model_fields)])
            for table in getattr(programme, key)
        ]
    return "\n\n".join(blocks) + "\n"


def _setting(rules: BaseModel, key: str) -> str:
    return f"{key} = {written(rules, key)}"


def _broken(origin: str, text: str, problem: str) -> str:
    """Say why text is no TOML. The parser tells the line inside its message; it is moved to the front."""
    told = re.search(r" \(at line (\d+), column (\d+)\)$", problem)
    if not told:
        return f"{origin}: not valid TOML: {problem}"
    line, column = int(told[1]), int(told[2])
    wrong = "".join(text.split("\n")[line - 1 : line])
    bare_word = re.search(r"=\s*(?!true|false|inf|nan)[A-Za-z]", wrong)
    hint = "; words stand in quotes" if bare_word else ""
    return f"{origin}: line {line}: not valid TOML at column {column}: {problem[: told.start()]}{hint}"


def kind_of(model: type[BaseModel], key: str) -> Checked:
    """Give the kind of value that a key of the rules, or of a tier, takes."""
    return next(kind for kind in model.model_fields[key].metadata if isinstance(kind, Checked))


def written(values: BaseModel, key: str) -> str:
    """Write the value of a key of the rules, or of a tier, that stands on one line."""
    kind = next(kind for kind in type(values).model_fields[key].metadata if isinstance(kind, Allowed))
    return kind.write(getattr(values, key))


def _about(model: type[BaseModel], key: str, label: str = "") -> str:
    """Write the comment of a key: what it is for, and what is allowed."""
    about = _comment(f"{label}{model.model_fields[key].description}")
    kind = kind_of(model, key)
    return about if isinstance(kind, Switch) else f"{about}\n{_comment(f'Allowed: {kind.says}.')}"


def _comment(text: str) -> str:
    lines = textwrap.wrap(" ".join(text.split()), _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines)


def _mistakes(details: ErrorDetails, whole: type[BaseModel]) -> list[tuple[Place, str]]:
    """Say where a mistake is and what is allowed there; a check of several keys may have found several at once."""
    place: Place = details["loc"]
    model = TABLES.get(str(place[0]), whole) if whole is Programme and len(place) > 1 else whole
    match details["type"]:
        case "keys":
            return [((key,), text) for key, text in details["ctx"]["mistakes"]]
        case "tables":
            return [((details["ctx"]["key"], index, key), text) for index, key, text in details["ctx"]["mistakes"]]
        case "missing":
            return [(place, f"must be given: {kind_of(model, str(place[-1])).says}")]
        case "extra_forbidden":
            what = "rule" if whole is Programme else "key"
            return [(place, f"no {what} has this name{_did_you_mean(str(place[-1]), model)}")]
        case _:
            return [(place, _one_line(details["msg"]))]


def _did_you_mean(key: str, model: type[BaseModel]) -> str:
    close = difflib.get_close_matches(key[:_WIDTH], model.model_fields, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _report(origin: str, line: int, place: Place, text: str) -> str:
    called = _CALLED.get(str(place[0]), "")
    keys = [f"{called} {key + 1}" if isinstance(key, int) else _key(key) for key in place]
    named = keys[1:] if len(keys) > 1 and called else keys
    return ": ".join([origin, *([f"line {line}"] if line else []), *named, text])


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", key) else shown(key)


def _one_line(problem: object) -> str:
    return " ".join(str(problem).split())


def _line(place: Place, lines: Mapping[Place, int]) -> int:
    """Give the line of the key, else of the table around it, else 0."""
    return next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 0)


def _line_numbers(text: str) -> dict[Place, int]:
    """Give the line, from 1, of every key and of every [[table]] in text that is valid TOML."""
    lines: dict[Place, int] = {}
    table: Place = ()
    counts = dict.fromkeys(TABLES, 0)
    for number, statement, parsed in _statements(text):
        key = next(iter(parsed))
        if not statement.startswith("["):
            lines.setdefault((*table, key), number)
            continue
        table = (key,)
        if statement.startswith("[[") and key in counts:
            table = (key, counts[key])
            counts[key] += 1
        lines.setdefault(table, number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Give the first line's number, the text and the value of every statement.

    The parser keeps no lines. But a statement ends where a line does, and its beginning alone is not valid:
    so it ends with the first line at which what has been gathered can be read.
    """
    gathered, first = "", 1
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        gathered += line + "\n"
        try:
            parsed = tomllib.loads(gathered)
        except (tomllib.TOMLDecodeError, RecursionError):
            if number - first > _LONGEST_STATEMENT_LINES:
                return  # each line reads the statement again: mistakes after this one go without their line
            continue
        if parsed:
            yield first, gathered.lstrip(), parsed
        gathered, first = "", number + 1

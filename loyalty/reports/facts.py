"""What both reports read: the rules they are made by and the tiers; and how rows of sums become tables."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple, TypedDict

import pandas as pd
from sqlalchemy import Connection

from loyalty.db.statements import run
from loyalty.errors import Refused
from loyalty.rules.money import MINOR_DIGITS
from loyalty.rules.periods import display_period


class Programme(TypedDict):
    """The rules behind a report; point_value is in major units, as text, so that JSON keeps it exact."""

    name: str
    currency: str
    point_value: str
    rules_version: int
    state: str


class Tier(NamedTuple):
    """A tier; rung is None off the ladder of the report's rules."""

    number: int
    name: str
    rung: int | None


def programme(connection: Connection, period: date) -> Programme:
    """The rules of the period's close, or those in force in it. Raises Refused where there are none."""
    row = run(connection, "reports/report_programme", period=period).one_or_none()
    if row is None:
        raise Refused(f"there are no rules for {display_period(period)}: run `loyalty migrate`")
    return {
        "name": row.name,
        "currency": row.currency,
        "point_value": str(row.point_value),
        "rules_version": row.version,
        "state": row.state,
    }


def tiers(connection: Connection, version: int) -> list[Tier]:
    """Every tier, those of the ladder first and in its order."""
    rows = run(connection, "reports/report_tiers", version=version)
    return [Tier(row.tier_no, row.name, row.rung) for row in rows]


def table(connection: Connection, name: str, period: date) -> pd.DataFrame:
    """The rows of a statement about a period; its sums, which come as decimals, are whole numbers of any size."""
    rows = run(connection, name, period=period)
    values = [[int(value) if isinstance(value, Decimal) else value for value in row] for row in rows]
    return pd.DataFrame(values, columns=list(rows.keys()), dtype=object)


def total(rows: pd.DataFrame, column: str) -> int:
    """The sum of a column; 0 of an empty table."""
    return int(rows[column].sum())


def worth(points: int, rules: Programme) -> int:
    """What points are worth to the books, in minor units, half-even."""
    return round((points * Decimal(rules["point_value"])).scaleb(MINOR_DIGITS[rules["currency"]]))

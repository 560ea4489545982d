"""Segments of members by what they bought, computed for all at once; docs/segments.md says what each means.

They are stamped with the instant of which they tell, and stay as they are until they are computed again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO

from sqlalchemy import Connection, Row

from loyalty.db.engine import connect, transaction
from loyalty.db.exports import copy_out
from loyalty.db.locks import advisory_lock
from loyalty.db.statements import run
from loyalty.errors import Refused
from loyalty.rules.segments import SEGMENTS, Segment

ACTIVE_DAYS = 365  # whoever bought since is active; recency, frequency and money are of these days
ONE_TIME_DAYS = 30  # so long ago at least is the only purchase of a one-time buyer
NEAR_SHARE = Decimal("0.2")  # of the next tier's threshold: what may be missing to be near it
_LOCK = 7_031_140  # two never compute at once
_NEVER = "no segments are computed yet: run `loyalty segments compute`"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many members each segment has as of an instant, and had the time before (None: it is the first time).

    `known` are all members who ever bought.
    """

    as_of: datetime
    known: int
    members: Mapping[Segment, int]
    before: Mapping[Segment, int] | None = None
    before_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """The active members with these two scores, and what they spent, in minor units."""

    recency: int
    frequency: int
    members: int
    spend: int


def compute(as_of: datetime, computed_at: datetime) -> Counts:
    """Compute the segments of all members as of an instant, in place of those that stand; again it is the same."""
    with connect() as alone, advisory_lock(alone, _LOCK), transaction() as connection:
        run(connection, "segments/clear")
        run(
            connection,
            "segments/compute",
            as_of=as_of,
            active_days=ACTIVE_DAYS,
            one_time_days=ONE_TIME_DAYS,
            near_share=NEAR_SHARE,
        )
        counts = run(connection, "segments/count").one()
        stored = json.dumps(counts._asdict())
        run(connection, "segments/record_run", as_of=as_of, computed_at=computed_at, counts=stored)
    with connect() as connection:
        return standing(connection)


def standing(connection: Connection) -> Counts:
    """The segments that stand. Raises Refused if none were computed yet."""
    found = run(connection, "segments/find_run").one_or_none()
    if found is None:
        raise Refused(_NEVER)
    return Counts(
        as_of=found.as_of,
        known=found.counts["known"],
        members=_by_name(found.counts),
        before=_by_name(found.counts_before) if found.counts_before else None,
        before_as_of=found.as_of_before,
    )


def cells(connection: Connection) -> list[Cell]:
    """The active members by recency and frequency: the cells that have any."""
    return [Cell(**row) for row in run(connection, "segments/cells").mappings()]


def members(connection: Connection, segment: Segment | None, *, most: int) -> list[Row[Any]]:
    """The first members of a segment (None: of all who ever bought), by member number.

    Raises Refused if none were computed yet.
    """
    standing(connection)
    return list(run(connection, "segments/list_members", segment=segment, after=None, most=most))


def export(segment: Segment | None, out: BinaryIO) -> None:
    """Write the members of a segment (None: all) as CSV, by member number. Raises Refused as `members` does."""
    with connect() as connection:
        standing(connection)
        copy_out(connection, "segments/list_members", out, segment=segment, after=None, most=None)


def _by_name(counts: Mapping[str, int]) -> dict[Segment, int]:
    return {segment: counts[segment] for segment in SEGMENTS}

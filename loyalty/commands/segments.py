"""`loyalty segments compute|list|count|export`: members by what they bought."""

from argparse import Namespace

from loyalty.commands.terminal import iso, output, say, say_json, say_list, table
from loyalty.db import segments
from loyalty.db.engine import connect
from loyalty.db.programme import check_ready
from loyalty.db.segments import Counts

_HEADERS = ("member", "customer", "last purchase", "purchases", "of the year", "spend", "R", "F", "M", "to next tier")


def count(given: Namespace) -> int:
    """Show how many members each segment has."""
    check_ready()
    with connect() as connection:
        counts = segments.standing(connection)
    if given.json:
        say_json({"as_of": counts.as_of, "known": counts.known, "segments": counts.members})
    else:
        say(f"{counts.known:,} members who ever bought, as of {iso(counts.as_of)}", *_lines(counts))
    return 0


def show(given: Namespace) -> int:
    """List members of a segment."""
    check_ready()
    with connect() as connection:
        found = segments.members(connection, given.segment, most=given.most)
    if given.json:
        say_json([row._asdict() for row in found])
        return 0
    rows = [
        (
            str(row.member_no),
            row.customer_id,
            f"{row.last_purchase_at:%Y-%m-%d}",
            row.purchases,
            row.frequency,
            f"{row.monetary:,}",
            *(score and str(score) for score in (row.recency_score, row.frequency_score, row.monetary_score)),
            row.points_to_next,
        )
        for row in found
    ]
    say_list(f"members in {given.segment}", _HEADERS, rows, right=(_HEADERS[0], *_HEADERS[3:]))
    return 0


def export(given: Namespace) -> int:
    """Write a segment as CSV."""
    check_ready()
    with output(given.out) as out:
        segments.export(given.segment, out)
    return 0


def _lines(counts: Counts) -> list[str]:
    before = counts.before or {}
    rows = [(name, members, before.get(name)) for name, members in counts.members.items()]
    headers = ("segment", "members", "the time before") if counts.before else ("segment", "members")
    return table(headers, [row[: len(headers)] for row in rows], right=headers[1:])

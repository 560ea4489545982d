"""A manual adjustment that waits for a second person: what a manager needs to know, in Markdown.

Member numbers and handles only. Staff's note stays out, since it may say anything: `loyalty adjustments` shows it.
"""

from sqlalchemy import Connection

from loyalty.db import adjustments
from loyalty.db.statements import run
from loyalty.reports.formats import signed, whole


def page(connection: Connection, approval_no: int) -> str:
    """All there is to know of the adjustment that an approval is about. Raises Refused if it is about none."""
    asked = adjustments.of_approval(connection, approval_no)
    standing = run(connection, "till/standing", member_no=asked.member_no, at=asked.asked_at).one()
    rows = (
        ("Member", f"M{asked.member_no}"),
        ("Points", signed(asked.points)),
        ("Reason", asked.reason),
        ("Asked by", asked.asked_by),
        ("One person alone may post", f"up to {whole(asked.alone_max)}"),
        ("Balance of the member, by what the books hold", whole(standing.balance)),
        ("State", asked.state if asked.approved_by is None else f"{asked.state}, approved by {asked.approved_by}"),
    )
    lines = [f"# Adjustment {asked.adjustment_no}", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    note = "The note of whoever asked is not shown here: `loyalty adjustments` has it."
    return "\n".join([*lines, "", note if asked.note else "There is no note.", ""])

"""`loyalty adjust` and `loyalty adjustments`: points given or taken by hand, and those that were."""

import dataclasses
from argparse import Namespace
from collections.abc import Callable

from loyalty import clock
from loyalty.commands.terminal import moment, say, say_json, say_list
from loyalty.db import adjustments
from loyalty.db.adjustments import Adjustment
from loyalty.db.engine import connect, transaction
from loyalty.db.programme import check_ready

_SHOWN = 1000


def adjust(given: Namespace, *, ask_managers: Callable[[], None]) -> int:
    """Give or take points; where a second person must approve, managers are asked."""
    check_ready()
    with transaction() as connection:
        made = adjustments.adjust(
            connection,
            given.customer_id,
            given.points,
            reason=given.reason,
            note=given.note,
            by=given.by,
            now=clock.now(),
        )
    if made.state == "waiting":
        ask_managers()
    if given.json:
        say_json(dataclasses.asdict(made))
    else:
        say(made.told)
    return 0


def show(given: Namespace) -> int:
    """List the newest adjustments."""
    check_ready()
    with connect() as connection:
        found = adjustments.listed(connection, most=_SHOWN)
    if given.json:
        say_json([dataclasses.asdict(each) for each in found])
    else:
        _say(found)
    return 0


def _say(found: list[Adjustment]) -> None:
    headers = ("adjustment", "member", "points", "reason", "asked by", "asked", "state", "approved by", "note")
    cells = (
        (
            str(each.adjustment_no),
            f"M{each.member_no}",
            f"{each.points:+,}",
            each.reason,
            each.asked_by,
            moment(each.asked_at),
            f"waits for approval {each.approval_no}" if each.state == "waiting" else each.state,
            each.approved_by,
            each.note,
        )
        for each in found
    )
    say_list("adjustments by hand", headers, cells, right=("adjustment", "points"))

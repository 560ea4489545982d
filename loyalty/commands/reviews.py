"""`loyalty reviews list|approve|reject`: the upgrades that wait for a manager."""

from argparse import Namespace
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from loyalty import clock
from loyalty.commands.terminal import moment, say, say_json, say_list
from loyalty.db import reviews, rules_versions
from loyalty.db.engine import connect
from loyalty.db.programme import check_ready
from loyalty.db.reviews import Decision
from loyalty.rules.money import to_major
from loyalty.rules.periods import display_period, period_of

_Rows = list[dict[str, Any]]


def show(given: Namespace) -> int:
    """List the reviews in a state."""
    present = period_of(clock.now(), check_ready())
    rows = _found(None if given.state == "all" else given.state, present)
    if given.json:
        say_json(rows)
    elif given.state == "open":
        _say_open(rows)
    else:
        _say_all(rows)
    return 0


def decide(given: Namespace, *, renew_reports: Callable[[Iterable[date]], None]) -> int:
    """Approve or reject the reviews named; the reports of their months are made again from what is true now."""
    check_ready()
    if given.action == "approve":
        decided = reviews.approve(given.ids, by=given.by, note=given.note or None, code=given.code)
    else:
        decided = reviews.reject(given.ids, by=given.by, note=given.note, code=given.code)
    renew_reports(sorted({decision.period for decision in decided}))
    if given.json:
        say_json(decided)
    else:
        say(*(_told(decision) for decision in decided))
    return 0


def _found(state: str | None, present: date) -> _Rows:
    """The reviews with their money in major units of the programme's currency."""
    with connect() as connection:
        _, programme = rules_versions.in_force(connection, present)
    rows = [dict(row._mapping) for row in reviews.listed(state)]  # noqa: SLF001 - SQLAlchemy's public name of it
    for row in rows:
        row |= {name: to_major(row[name], programme.currency) for name in ("spend", "refunded")}
    return rows


def _say_open(rows: _Rows) -> None:
    headers = ("review", "customer", "from", "to", "month", "qualifying", "spend", "refunded", "decide by")
    cells = (
        (*_who(row), row["qualifying_points"], f"{row['spend']:,}", f"{row['refunded']:,}", moment(row["due_at"]))
        for row in rows
    )
    say_list("reviews that wait", headers, cells, right=("review", "qualifying", "spend", "refunded"))


def _say_all(rows: _Rows) -> None:
    headers = ("review", "customer", "from", "to", "month", "qualifying", "state", "at", "by", "note")
    cells = (
        (
            *_who(row),
            row["qualifying_points"],
            row["state"],
            moment(row["decided_at"]),
            row["decided_by"],
            row["note"],
        )
        for row in rows
    )
    say_list("such reviews", headers, cells, right=("review", "qualifying"))


def _who(row: dict[str, Any]) -> tuple[str, ...]:
    return str(row["review_no"]), row["customer_id"], row["from_tier"], row["to_tier"], display_period(row["period"])


def _told(decision: Decision) -> str:
    reason = f": {decision.note}" if decision.note and decision.state != "approved" else ""
    month = display_period(decision.period)
    return f"review {decision.review_no} of member {decision.member_no} for {month} {decision.state}{reason}"

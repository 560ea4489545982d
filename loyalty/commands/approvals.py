"""`loyalty approvals list|approve|reject`: what waits for a person's decision, whole batches at a time."""

from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import date

from loyalty.commands.terminal import moment, say, say_json, say_list
from loyalty.db import approvals
from loyalty.db.approvals import Approval, Outcome
from loyalty.db.engine import connect
from loyalty.db.programme import check_ready
from loyalty.errors import WrongUse


def show(given: Namespace) -> int:
    """List the approvals in a state."""
    check_ready()
    with connect() as connection:
        found = approvals.listed(connection, None if given.state == "all" else given.state)
    if given.json:
        say_json([asdict(approval) for approval in found])
    else:
        _say("approvals that wait" if given.state == "open" else "such approvals", found)
    return 0


def decide(given: Namespace, *, renew_reports: Callable[[Iterable[date]], None]) -> int:
    """Approve or reject the approvals named, one after the other; the reports of their months are made again."""
    check_ready()
    if given.leave_out and len(given.ids) > 1:
        raise WrongUse("members are left out of one approval at a time")
    decided: list[Outcome] = []
    try:
        for approval_no in dict.fromkeys(given.ids):
            decided.append(  # noqa: PERF401 - what was decided before one that fails is told all the same
                approvals.decide(
                    approval_no,
                    approve=given.action == "approve",
                    by=given.by,
                    note=given.note,
                    leave_out=given.leave_out,
                    code=given.code,
                )
            )
    finally:
        if decided:
            renew_reports(sorted({period for outcome in decided for period in outcome.periods}))
            _tell(decided, json=given.json)
    return 0


def _tell(decided: list[Outcome], *, json: bool) -> None:
    if json:
        say_json([asdict(outcome) for outcome in decided])
    else:
        say(*(f"approval {outcome.approval_no} {outcome.state}: {outcome.told}" for outcome in decided))


def _say(what: str, found: list[Approval]) -> None:
    headers = ("approval", "what", "members", "asked by", "decide by", "state", "decided by", "what came of it")
    cells = (
        (
            str(approval.approval_no),
            approval.name,
            f"{approval.members:,}" if approval.members else "",
            approval.asked_by,
            moment(approval.due_at),
            approval.state,
            approval.decided_by or "",
            approval.told or "",
        )
        for approval in found
    )
    say_list(what, headers, cells, right=("approval", "members"))

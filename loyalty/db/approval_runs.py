"""The Prefect runs that ask for decisions, as the database knows them: which run holds which approval.

The newest run of an approval is the one that asks. A run that was lost is followed by the next attempt, never joined by
it: an attempt is one run, by the table's key here and by Prefect's idempotency key there.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row

from loyalty.db.approvals import Kind
from loyalty.db.engine import connect, transaction
from loyalty.db.statements import run

MOST_WAITING = 50  # runs asked for at once: the next batches follow when these are decided


@dataclass(frozen=True, slots=True)
class Waiting:
    """An approval that waits, with the newest of its runs; `attempt` is None before the first."""

    approval_no: int
    kind: Kind
    occasion: str
    period: date | None
    salt: str
    attempt: int | None
    flow_run_id: str | None

    def key(self, attempt: int) -> str:
        """The idempotency key of an attempt: on any server, another database's runs have other keys."""
        return f"approval-{self.approval_no}-{attempt}-{self.salt}"


def waiting() -> list[Waiting]:
    """The oldest approvals that wait, as many as may have runs at once."""
    with connect() as connection:
        return [Waiting(**row) for row in run(connection, "approvals/open_with_runs", most=MOST_WAITING).mappings()]


def of_approval(approval_no: int) -> list[tuple[int, str]]:
    """The runs of an approval, the newest first: attempt and Prefect's id."""
    with connect() as connection:
        found = run(connection, "approvals/runs_of_approval", approval_no=approval_no)
        return [(row.attempt, row.flow_run_id) for row in found]


def add(approval_no: int, attempt: int, flow_run_id: str) -> bool:
    """Take note of a run; False if that attempt is another's."""
    with transaction() as connection:
        added = run(connection, "approvals/add_run", approval_no=approval_no, attempt=attempt, flow_run_id=flow_run_id)
        return added.rowcount == 1


def to_end() -> list[Row[Any]]:
    """The runs that may still ask for what is decided by now: sql/approvals/runs_to_end.sql."""
    with connect() as connection:
        return list(run(connection, "approvals/runs_to_end"))


def end(approval_no: int, attempt: int) -> None:
    """Take note that a run asks no more."""
    with transaction() as connection:
        run(connection, "approvals/end_run", approval_no=approval_no, attempt=attempt)

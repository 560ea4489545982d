"""Corrections: rows of a file whose id is recorded with other content.

A corrected row stays as it is. Its reversal and its replacement are booked where a late row would be: in their own
months while these are open, else in the earliest open one. A late replacement of a late sale keeps its place, as a
refund keeps its sale's: its points are those of the corrected row's period, so that what is right already is neither
taken nor given again, and no lot gets another date. A corrected sale takes its refunds along: they are reversed, and
booked again as refunds of the replacement.
"""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Connection

from loyalty.db.imports.session import Session
from loyalty.db.statements import run


def hold_ids(connection: Connection) -> None:
    """Mark what comes twice, and hold the ids of the good rows until the transaction ends: one correction at a time."""
    run(connection, "imports/mark_later_transactions")
    run(connection, "imports/lock_corrected")


def judge_sales(own: Session, *, final: bool) -> None:
    """Judge corrections by rows that name no sale; those that are only too small for now wait until the final time."""
    if not final:
        run(own.connection, "imports/defer_short_sales")
    run(own.connection, "imports/judge_corrections")
    run(own.connection, "imports/carry_refunds", zone=own.programme.zone)


def months_of_reversals(connection: Connection) -> Sequence[date]:
    """The periods that reversals are booked to while they are open."""
    return run(connection, "imports/periods_of_corrected").scalars().all()


def record(connection: Connection, *, first_open: date | None, recorded_at: datetime) -> None:
    """Book reversals and replacements, refunds after the sales that take them along."""
    run(connection, "imports/reverse_corrected", first_open=first_open, recorded_at=recorded_at)
    for carried in (False, True):
        if carried:
            run(connection, "imports/follow_corrected_sales")
        run(connection, "imports/replace_corrected", first_open=first_open, recorded_at=recorded_at, carried=carried)

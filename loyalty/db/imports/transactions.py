"""Transactions: sales, and refunds that name no sale, part by part; refunds of sales when all sales are recorded.

A file of corrections goes the same way, in one part: what is recorded with other content is corrected (corrections.py).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from loyalty import clock
from loyalty.db.imports import corrections
from loyalty.db.imports.csv_file import Columns
from loyalty.db.imports.parts import PART_ROWS, ImportResult, Kind, Progress, Tally, finish_part, run_import, settled
from loyalty.db.imports.session import Session
from loyalty.db.locks import MERGING
from loyalty.db.statements import run

COLUMNS = Columns(
    required=("transaction_id", "customer_id", "occurred_at", "amount"),
    optional=(
        "source",
        "kind",
        "currency",
        "original_transaction_id",
        "channel",
        "location",
        "tax",
        "shipping",
        "tip",
        "fee",
        "gift_card",
        "paid_with_points",
        "discount",
    ),
    free=frozenset({"channel", "location"}),
)
AHEAD = timedelta(days=1)  # how far in the future, by the programme clock, a till's own clock may be


def import_transactions(path: Path | str, *, correct: bool = False, progress: Progress | None = None) -> ImportResult:
    """Record the transactions of a CSV file, each (source, transaction_id) once; enrols customers who are not known.

    A row whose id is recorded with other content is rejected or, with `correct`, corrects the recorded one. Raises
    BadInput when the file can't be read, Refused when there is no programme, Unavailable without a database.
    """
    return run_import(_CORRECTING if correct else _KIND, Path(path), progress)


def _judge(own: Session, *, correct: bool = False) -> None:
    """Judge a part, and put the refunds that name a sale aside."""
    run(
        own.connection,
        "imports/judge_transactions",
        currency=own.programme.currency,
        zone=own.programme.zone,
        starts_at=own.programme.starts_at,
        ends_at=own.programme.as_of + AHEAD,
    )
    if correct:  # a refund may come twice with a sale in between, and only the first of them corrects
        run(own.connection, "imports/mark_later_transactions")
    run(own.connection, "imports/defer_refunds")
    run(own.connection, "imports/analyze_transactions")


def _record(own: Session) -> None:
    settled(own, lambda look: _record_rows(own, look=look))


def _correct(own: Session) -> None:
    settled(own, lambda _: _record_rows(own, look=True, correct=True))


def _finish(own: Session, *, correct: bool = False) -> Tally:
    """Record the refunds that were put aside, all those of a sale in the same share; corrections in one."""
    tally = Tally()
    waiting = run(own.connection, "imports/count_refunds").scalar_one()
    shares = min(waiting, 1) if correct else -(-waiting // PART_ROWS)
    for share in range(shares):
        run(own.connection, "imports/take_refunds", share=share, shares=shares)
        run(own.connection, "imports/analyze_transactions")
        settled(own, lambda _: _record_rows(own, look=True, refunds=True, correct=correct))
        tally.add(finish_part(_KIND, own))
    if correct and waiting:
        run(own.connection, "imports/take_deferred_sales")
        settled(own, lambda _: _record_rows(own, look=True, correct=True, final=True))
        tally.add(finish_part(_KIND, own))
    return tally


def _record_rows(
    own: Session, *, look: bool, refunds: bool = False, correct: bool = False, final: bool = False
) -> None:
    """Record the rows that are good and new. Every import takes its locks in the same order: nobody waits in a ring."""
    connection = own.connection
    run(connection, "imports/hold_merges", lock=MERGING)
    run(connection, "imports/follow_merges")
    run(connection, "imports/reject_erased_customers")
    run(connection, "imports/add_sources")
    if correct:
        corrections.hold_ids(connection)
    if refunds:
        run(connection, "imports/take_sales_currency", currency=own.programme.currency)
    if look:
        run(connection, "imports/mark_later_transactions")
        run(connection, "imports/reject_erased")
        run(connection, "imports/compare_transactions", later=False, correct=correct)
    if refunds:
        _judge_refunds(connection, correct=correct)
    else:
        if correct:
            corrections.judge_sales(own, final=final)
        run(connection, "imports/enrol_customers", enrolled_at=clock.now(), tier_no=own.programme.first_tier)
        run(connection, "inbox/wake_registered", at=clock.now())
    _book(connection, correct=correct)
    if look:
        run(connection, "imports/compare_transactions", later=True, correct=False)
        run(connection, "imports/reject_orphans")


def _judge_refunds(connection: Connection, *, correct: bool) -> None:
    run(connection, "imports/lock_sales")
    run(connection, "imports/judge_refunds")
    if correct:
        run(connection, "imports/judge_corrections")
    run(connection, "imports/limit_refunds")


def _book(connection: Connection, *, correct: bool) -> None:
    """Book what is left to be recorded, the periods held."""
    found = run(connection, "imports/months_of_transactions").all()
    if not found:
        return
    reversals = corrections.months_of_reversals(connection) if correct else ()
    first_open = hold_periods(connection, [*(row.month for row in found), *reversals])
    recorded_at = clock.now()
    done = run(connection, "imports/record_transactions", first_open=first_open, recorded_at=recorded_at)
    if done.rowcount < sum(row.transactions for row in found):
        run(connection, "imports/reject_erased")
    if correct:
        corrections.record(connection, first_open=first_open, recorded_at=recorded_at)


def hold_periods(connection: Connection, months: Iterable[date]) -> date | None:
    """Hold the periods that rows of these months are booked to until the transaction ends; returns the first open one.

    A close that began between looking and holding makes us look again; once we hold a period, its close waits for us.
    """
    while True:
        first_open: date | None = run(connection, "imports/first_open_period").scalar_one()
        periods = sorted({max(month, first_open) if first_open else month for month in months})
        run(connection, "imports/ensure_periods", periods=periods)
        held = run(connection, "imports/share_periods", periods=periods).all()
        if all(period.state == "open" for period in held):
            return first_open


_KIND = Kind(
    name="transactions",
    columns=COLUMNS,
    tally="imports/tally_transactions",
    keep_rejects="imports/keep_rejects_of_transactions",
    clear="imports/clear_transactions",
    judge=_judge,
    record=_record,
    finish=_finish,
)
_CORRECTING = replace(
    _KIND, whole=True, judge=partial(_judge, correct=True), record=_correct, finish=partial(_finish, correct=True)
)

"""Transactions: sales, and refunds that name no sale, part by part; refunds of sales when all sales are recorded."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import Connection

from loyalty import clock
from loyalty.db.imports.csv_file import Columns
from loyalty.db.imports.parts import PART_ROWS, ImportResult, Kind, Progress, Tally, finish_part, run_import, settled
from loyalty.db.imports.session import Session
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


def import_transactions(path: Path | str, *, progress: Progress | None = None) -> ImportResult:
    """Record the transactions of a CSV file, each (source, transaction_id) once; enrols customers who are not known.

    Raises BadInput when the file can't be read, Refused when there is no programme, Unavailable without a database.
    """
    return run_import(_KIND, Path(path), progress)


def _judge(own: Session) -> None:
    """Judge a part, and put the refunds that name a sale aside."""
    run(
        own.connection,
        "imports/judge_transactions",
        currency=own.programme.currency,
        zone=own.programme.zone,
        starts_at=own.programme.starts_at,
        ends_at=own.programme.as_of + AHEAD,
    )
    run(own.connection, "imports/defer_refunds")
    run(own.connection, "imports/analyze_transactions")


def _record(own: Session) -> None:
    settled(own, lambda look: _record_rows(own, look=look))


def _finish(own: Session) -> Tally:
    """Record the refunds that were put aside, all those of a sale in the same share."""
    tally = Tally()
    shares = -(-run(own.connection, "imports/count_refunds").scalar_one() // PART_ROWS)
    for share in range(shares):
        run(own.connection, "imports/take_refunds", share=share, shares=shares)
        run(own.connection, "imports/analyze_transactions")
        settled(own, lambda _: _record_rows(own, look=True, refunds=True))
        tally.add(finish_part(_KIND, own))
    return tally


def _record_rows(own: Session, *, look: bool, refunds: bool = False) -> None:
    """Record the rows that are good and new. Every import takes its locks in the same order: nobody waits in a ring."""
    connection = own.connection
    run(connection, "imports/add_sources")
    if look:
        run(connection, "imports/mark_later_transactions")
        run(connection, "imports/reject_erased")
        run(connection, "imports/compare_transactions", later=False)
    if refunds:
        run(connection, "imports/lock_sales")
        run(connection, "imports/judge_refunds")
        run(connection, "imports/limit_refunds")
    else:
        run(connection, "imports/enrol_customers", enrolled_at=clock.now(), tier_no=own.programme.first_tier)
    months = run(connection, "imports/months_of_transactions").all()
    if months:
        first_open = _hold_periods(connection, [row.month for row in months])
        done = run(connection, "imports/record_transactions", first_open=first_open, recorded_at=clock.now())
        if done.rowcount < sum(row.transactions for row in months):
            run(connection, "imports/reject_erased")
    if look:
        run(connection, "imports/compare_transactions", later=True)
        run(connection, "imports/reject_orphans")


def _hold_periods(connection: Connection, months: Sequence[date]) -> date | None:
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

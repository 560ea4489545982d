"""Exchange rates: what one major unit of a currency was worth in the programme's, by day."""

from pathlib import Path

from loyalty.db.imports.csv_file import Columns
from loyalty.db.imports.parts import ImportResult, Kind, Progress, run_import, settled
from loyalty.db.imports.session import Session
from loyalty.db.statements import run

COLUMNS = Columns(required=("date", "currency", "rate"))


def import_rates(path: Path | str, *, progress: Progress | None = None) -> ImportResult:
    """Record the exchange rates of a CSV file; a new rate of a day replaces the old one for what is imported later.

    Raises BadInput when the file can't be read, Refused when there is no programme, Unavailable without a database.
    """
    return run_import(_KIND, Path(path), progress)


def _judge(own: Session) -> None:
    run(own.connection, "imports/judge_rates", currency=own.programme.currency)
    run(own.connection, "imports/mark_later_rates")
    run(own.connection, "imports/analyze_rates")


def _record(own: Session) -> None:
    settled(own, lambda _: _record_rows(own))


def _record_rows(own: Session) -> None:
    run(own.connection, "imports/compare_rates")
    run(own.connection, "imports/record_rates")


_KIND = Kind(
    name="rates",
    columns=COLUMNS,
    tally="imports/tally_rates",
    keep_rejects="imports/keep_rejects_of_rates",
    clear="imports/clear_rates",
    judge=_judge,
    record=_record,
)

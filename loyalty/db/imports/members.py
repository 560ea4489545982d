"""Members: who they are, by customer_id. What a file leaves out or empty stays as it is."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from loyalty import clock
from loyalty.db.imports.csv_file import Columns
from loyalty.db.imports.parts import ImportResult, Kind, Progress, run_import, settled
from loyalty.db.imports.session import Session
from loyalty.db.statements import run
from loyalty.rules.phones import e164
from loyalty.settings import settings

COLUMNS = Columns(
    required=("customer_id",),
    optional=(
        "email",
        "phone",
        "first_name",
        "last_name",
        "birthday",
        "joined_on",
        "time_zone",
        "language",
        "email_consent",
        "sms_consent",
    ),
)


def import_members(
    path: Path | str, *, consent_wording: str | None = None, progress: Progress | None = None
) -> ImportResult:
    """Enrol or change the members of a CSV file. `consent_wording` is what they agreed to, kept with each consent.

    Raises BadInput when the file can't be read, Refused when there is no programme, Unavailable without a database.
    """
    kind = replace(_KIND, record=partial(_record, wording=consent_wording))
    return run_import(kind, Path(path), progress)


def _judge(own: Session) -> None:
    tomorrow = (own.programme.as_of + timedelta(days=1)).date()
    run(own.connection, "imports/judge_members", tomorrow=tomorrow)
    run(own.connection, "imports/fold_members")
    run(own.connection, "imports/analyze_members")


def _record(own: Session, wording: str | None = None) -> None:
    settled(own, lambda _: _record_rows(own, wording))


def _record_rows(own: Session, wording: str | None) -> None:
    now, first_tier = clock.now(), own.programme.first_tier
    run(own.connection, "imports/reject_erased_members")
    run(own.connection, "imports/compare_members")
    _number_phones(own)
    run(own.connection, "imports/drop_identifiers")
    run(own.connection, "imports/note_consents", at=now, wording=wording)
    run(own.connection, "imports/update_members", at=now)
    run(own.connection, "imports/enrol_members", enrolled_at=now, tier_no=first_tier, wording=wording)
    run(own.connection, "imports/keep_identifiers")
    run(own.connection, "inbox/wake_registered", at=now)


def _number_phones(own: Session) -> None:
    """Find out what telephone numbers are as E.164 that aren't written so."""
    phones = run(own.connection, "imports/odd_phones").scalars().all()
    if phones:
        region = settings().phone_region
        numbers = [e164(phone, region) for phone in phones]
        run(own.connection, "imports/number_phones", phones=phones, numbers=numbers)


_KIND = Kind(
    name="members",
    columns=COLUMNS,
    tally="imports/tally_members",
    keep_rejects="imports/keep_rejects_of_members",
    clear="imports/clear_members",
    judge=_judge,
    record=_record,
)

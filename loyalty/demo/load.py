"""The demo loaded: files written, imported as any others are, into a database that holds nothing else."""

import os
from dataclasses import dataclass

from loyalty import clock
from loyalty.db.engine import connect, transaction
from loyalty.db.imports import ImportResult, Progress, import_members, import_transactions
from loyalty.db.programme import check_ready, set_up
from loyalty.db.statements import run
from loyalty.demo.complete_journey import SOURCE, ZONE, write_files
from loyalty.errors import ConfigurationError, NotMigrated, Refused
from loyalty.settings import settings

_ZONE_SETTING = "LOYALTY_TIME_ZONE"
_REMEDY = "give the demo a LOYALTY_HOME of its own"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The two imports."""

    members: ImportResult
    transactions: ImportResult

    @property
    def was_there(self) -> bool:
        """Whether all of it was loaded before."""
        return self.members.loaded + self.transactions.loaded == 0


def load(progress: Progress | None = None) -> Loaded:
    """Load the demo's members and transactions; again it changes nothing.

    Raises as `claim` does, and Unavailable if the demo's data are not installed.
    """
    claim()
    members, transactions = write_files(settings().home_folder / "demo")
    return Loaded(import_members(members), import_transactions(transactions, progress=progress))


def claim() -> None:
    """Make the database the demo's: a programme in its zone, unless it is that already.

    Raises Refused if it holds anybody else's data, or a programme with another zone than LOYALTY_TIME_ZONE asks for.
    """
    try:
        check_ready()
    except NotMigrated:  # nobody's yet
        os.environ.setdefault(_ZONE_SETTING, ZONE)
    except ConfigurationError as error:
        if error.setting != _ZONE_SETTING:
            raise
        raise Refused(f"this database holds another programme than the demo's: {_REMEDY}") from error
    with connect() as connection:
        set_up(connection, at=clock.now())
    with transaction() as connection:
        if run(connection, "reads/other_data", source=SOURCE).scalar_one():
            raise Refused(f"this database holds other data than the demo's: {_REMEDY}")

"""The demo loaded: files written, imported as any others are, into a database that holds nothing else."""

from dataclasses import dataclass

from loyalty import clock
from loyalty.db.engine import connect, transaction
from loyalty.db.imports import ImportResult, Progress, import_members, import_transactions
from loyalty.db.programme import set_up
from loyalty.db.statements import run
from loyalty.demo.complete_journey import SOURCE, write_files
from loyalty.errors import Refused
from loyalty.settings import settings


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

    Sets the programme up if that was not done. Raises Refused if the database holds anybody else's data, Unavailable
    if the demo's data are not installed.
    """
    with connect() as connection:
        set_up(connection, at=clock.now())
    with transaction() as connection:
        if run(connection, "reads/other_data", source=SOURCE).scalar_one():
            raise Refused("this database holds other data than the demo's: give the demo a LOYALTY_HOME of its own")
    members, transactions = write_files(settings().home_folder / "demo")
    return Loaded(import_members(members), import_transactions(transactions, progress=progress))

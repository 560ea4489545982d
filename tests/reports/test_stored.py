"""Reports as they are kept."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

from sqlalchemy import URL

from loyalty.db.engine import transaction
from loyalty.reports import stored
from tests.reports.conftest import AT, DECEMBER


def store(number: int) -> int:
    """A report of one number, stored in a transaction of its own."""
    with transaction() as connection:
        return stored.store(connection, DECEMBER, "health", {"summary": {"points": number}}, AT)


def test_the_same_numbers_again_are_no_new_revision(database: URL) -> None:
    """Law: a revision is made when a number differs from the newest one's, also when it goes back to an older one's."""
    revisions = [store(number) for number in (1, 1, 2, 2, 1)]

    with transaction() as connection:
        kept = stored.newest(connection, DECEMBER, "health")
        missing = stored.newest(connection, DECEMBER, "roi")
    assert revisions == [1, 1, 2, 2, 3]
    assert kept == (3, {"summary": {"points": 1}})
    assert missing is None


def test_reports_stored_at_once_are_all_kept(database: URL) -> None:
    """Law: two processes that store other numbers in the same moment make two revisions."""
    with ThreadPoolExecutor(8) as threads:
        revisions = list(threads.map(store, range(24)))

    assert sorted(revisions) == list(range(1, 25))


def test_the_artifacts_key_names_report_and_month() -> None:
    """Law: lower case, digits and dashes, the same for every revision."""
    assert stored.artifact_key("health", DECEMBER) == "loyalty-health-2017-12"
    assert stored.artifact_key("roi", date(2026, 1, 1)) == "loyalty-roi-2026-01"

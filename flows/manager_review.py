"""How managers learn of the upgrades that wait for them, and of what a decision changed."""

from datetime import date

from prefect.artifacts import create_markdown_artifact

from loyalty.db.engine import transaction
from loyalty.monthly import REPORTS
from loyalty.reports import reviews
from loyalty.rules.periods import display_period
from tasks._report import publish


def ask_managers(period: date) -> None:
    """Publish the artifact reviews-2017-12: which upgrades of the period wait, and how to decide them."""
    with transaction() as connection:
        page = reviews.waiting(connection, period)
    create_markdown_artifact(
        page,
        key=reviews.artifact_key(period),
        description=f"Upgrades of {display_period(period)} that wait for a manager",
    )


def publish_again(period: date) -> None:
    """Publish a period's reports and its waiting upgrades as they are now: new versions of their artifacts."""
    for kind in REPORTS.values():
        publish(kind, period)
    ask_managers(period)

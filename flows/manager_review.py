"""How managers learn of the upgrades that wait for them."""

from datetime import date

from prefect.artifacts import create_markdown_artifact

from loyalty.db.engine import transaction
from loyalty.reports import reviews
from loyalty.rules.periods import display_period


def ask_managers(period: date) -> None:
    """Publish the artifact reviews-2017-12: which upgrades of the period wait, and how to decide them."""
    with transaction() as connection:
        page = reviews.waiting(connection, period)
    create_markdown_artifact(
        page,
        key=reviews.artifact_key(period),
        description=f"Upgrades of {display_period(period)} that wait for a manager",
    )

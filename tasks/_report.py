"""How a report becomes an artifact: one key per report and period, so that a later revision is its next version."""

from datetime import date

from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from loyalty.monthly import make_report
from loyalty.reports.stored import Kind, artifact_key
from loyalty.rules.periods import display_period

TITLES: dict[Kind, str] = {"health": "Loyalty health report", "roi": "Loyalty programme ROI"}


def publish(kind: Kind, period: date) -> int:
    """Make the report, store it, publish it; its revision."""
    report = make_report(kind, period)
    key = artifact_key(kind, period)
    create_markdown_artifact(
        report.markdown,
        key=key,
        description=f"{TITLES[kind]} of {display_period(period)}, revision {report.revision}",
    )
    get_run_logger().info("the artifact %s is published: revision %s", key, report.revision)
    return report.revision

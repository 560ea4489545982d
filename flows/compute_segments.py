"""Segments of members computed anew, once a week: an artifact tells their sizes."""

from datetime import datetime

from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows._flow import programme_flow
from flows.wording import segmented
from loyalty import clock
from loyalty.db import segments
from loyalty.db.engine import transaction
from loyalty.reports import segments as pages


def _run_name() -> str:
    return f"segments {flow_run.parameters['as_of'] or clock.now():%Y-%m-%d}"


@programme_flow(run_name=_run_name)
def compute_segments(as_of: datetime | None = None) -> str:
    """Compute every member's recency, frequency and spend, and the segments that follow from them.

    What stands is replaced as a whole. Lists, exports and campaigns that start later use it. The artifact segments
    shows the sizes; each run is a new version of it.

    Args:
        as_of: As of which instant, with its offset. Empty: the programme's clock.
    """
    now = clock.now()
    done = segmented(segments.compute(as_of or now, now))
    with transaction() as connection:
        page = pages.page(connection)
    create_markdown_artifact(page, key=pages.ARTIFACT_KEY, description=done)
    return done

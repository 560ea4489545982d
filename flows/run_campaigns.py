"""What running campaigns give, once a day: vouchers and messages as one begins, points for purchases."""

from prefect.artifacts import create_markdown_artifact

from flows._flow import programme_flow
from flows.wording import campaigned
from loyalty import clock
from loyalty.db import campaigns
from loyalty.db.campaign_awards import run
from loyalty.db.engine import transaction
from loyalty.reports import campaign as pages


def _run_name() -> str:
    return f"campaigns {clock.now():%Y-%m-%d}"


@programme_flow(run_name=_run_name)
def run_campaigns() -> str:
    """Give what campaigns have to give by now, take back what refunds ask for, and publish what each has brought.

    Right however late and often it runs: a purchase counts once, a voucher is given once. A close begins with the same.
    The artifact campaign-NAME has the outcome of each campaign that counts purchases yet, against those held out.
    """
    now = clock.now()
    given = run(now)
    with transaction() as connection:
        found = [pages.report(connection, name, now) for name in campaigns.counting(connection, now)]
    for report in found:
        key = pages.artifact_key(report.known.name)
        create_markdown_artifact(pages.markdown(report), key=key, description=pages.told(report))
    return campaigned(given, len(found))

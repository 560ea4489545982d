"""The outbox delivered, several times a day."""

from typing import Annotated

from pydantic import Field

from flows._flow import programme_flow
from flows.delivery import deliver_outbox
from loyalty import clock


def _run_name() -> str:
    return f"notifications {clock.now():%Y-%m-%d %H:%M}Z"


@programme_flow(run_name=_run_name)
def daily_notifications(limit_per_batch: Annotated[int, Field(ge=1, le=10_000)] = 500) -> str:
    """Deliver the messages that wait in the outbox: e-mails, SMS and word to staff, by consent and local hours.

    Any number of these runs may work at the same time: each message is sent by one of them.

    Args:
        limit_per_batch: How many messages are taken, sent and recorded at once; fewer where they go through a provider.
    """
    return deliver_outbox(limit_per_batch)

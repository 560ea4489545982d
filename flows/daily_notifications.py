"""The outbox delivered, several times a day."""

from typing import Annotated

from pydantic import Field

from flows._flow import programme_flow
from flows.wording import delivered
from loyalty import clock
from loyalty.messages.delivery import deliver


def _run_name() -> str:
    return f"notifications {clock.now():%Y-%m-%d %H:%M}Z"


@programme_flow(run_name=_run_name)
def daily_notifications(limit_per_batch: Annotated[int, Field(ge=1, le=10_000)] = 500) -> str:
    """Deliver the messages that wait in the outbox: e-mails and SMS, by each member's consent and local hours.

    Args:
        limit_per_batch: How many messages are taken, sent and recorded at once; a crash sends at most so many again.
    """
    return delivered(deliver(clock.now(), limit_per_batch=limit_per_batch))

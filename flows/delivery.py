"""The outbox delivered within a run, by the channels that the environment or Prefect's blocks choose."""

from datetime import date

from prefect.settings import PREFECT_API_URL

from blocks._settings_block import take_settings
from blocks.registry import CHANNELS
from flows import prefect_api
from flows.wording import delivered, left_waiting
from loyalty import clock
from loyalty.errors import Unavailable
from loyalty.messages.delivery import AFTER_A_CLOSE, BATCH, deliver, more_due
from loyalty.rules.periods import display_period

FLOW = "daily_notifications"


def deliver_outbox(limit_per_batch: int = BATCH) -> str:
    """Deliver every message that is due; what was done, in a line. Raises what `deliver` raises."""
    take_settings(CHANNELS)
    return delivered(deliver(clock.now(), limit_per_batch=limit_per_batch))


def deliver_close(period: date) -> str:
    """Deliver the messages of a closed month, or see that a run of its own does; what was done, in a line.

    A million messages take a provider hours: a close does not wait for more than AFTER_A_CLOSE of them. Raises what
    `deliver` raises.
    """
    if not more_due(AFTER_A_CLOSE, clock.now()):
        return deliver_outbox()
    address = PREFECT_API_URL.value() or prefect_api.found()
    try:
        return _handed_over(address, period) if address else left_waiting()
    except Unavailable:  # nothing is deployed on this server
        return left_waiting()


def _handed_over(address: str, period: date) -> str:
    deployment = prefect_api.ask(address, f"deployments/name/{FLOW}/{FLOW}", "GET")["id"]
    run = prefect_api.ask(
        address,
        f"deployments/{deployment}/create_flow_run",
        name=f"notifications of {display_period(period)}",
    )
    return f"delivered by a run of their own, {run['name']}"

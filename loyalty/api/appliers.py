"""What applies each kind of event that this release knows. Importing it makes them known to `events`."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from loyalty.api import events, purchases, redemptions, refunds
from loyalty.api.events import Applied
from loyalty.db.inbox import Event
from loyalty.platforms.base import Platform
from loyalty.platforms.registry import PLATFORMS


def of_platform(platform: Platform) -> Callable[[Connection, Event, datetime], Applied]:
    """What applies the events that a platform's webhook brings; they name addresses, also of people erased since."""
    return lambda connection, event, now: Applied(platform.apply(connection, event, now), forget=True)


events.APPLIERS.update(
    {purchases.KIND: purchases.apply, refunds.KIND: refunds.apply, redemptions.KIND: redemptions.apply}
)
events.APPLIERS.update({name: of_platform(platform) for name, platform in PLATFORMS.items()})

drain = events.drain
release = events.release
try_now = events.try_now

"""What applies each kind of event that this release knows. Importing it makes them known to `events`."""

from loyalty.api import events, purchases, redemptions, refunds

events.APPLIERS.update(
    {purchases.KIND: purchases.apply, refunds.KIND: refunds.apply, redemptions.KIND: redemptions.apply}
)

drain = events.drain
release = events.release

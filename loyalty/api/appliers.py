"""What applies each kind of event that this release knows. Importing it makes them known to `events`."""

from loyalty.api import events, purchases, refunds

events.APPLIERS.update({purchases.KIND: purchases.apply, refunds.KIND: refunds.apply})

drain = events.drain

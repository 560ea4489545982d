"""Every platform that this release knows, by name."""

from loyalty.platforms import sendgrid, twilio

PLATFORMS = {each.name: each for each in (sendgrid.PLATFORM, twilio.PLATFORM)}

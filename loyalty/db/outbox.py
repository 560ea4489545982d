"""Messages queued in the transaction of what they tell of; a delivery sends them later."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection

from loyalty.db.statements import run


@dataclass(frozen=True, slots=True)
class Queued:
    """A message about `occasion`, one of its kind for a member. `facts` are what it says; never personal data."""

    kind: str
    occasion: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    channel: Literal["email", "sms"] = "email"


def queue_to_staff(connection: Connection, kind: str, occasion: str, facts: Mapping[str, Any], now: datetime) -> None:
    """Queue a message to staff, such as "limit_breached" with limit, count and most; again does nothing.

    `occasion` makes it one of its kind: a limit and a day, say. `facts` never hold personal data.
    """
    run(connection, "outbox/queue_staff_message", kind=kind, occasion=occasion, facts=json.dumps(dict(facts)), at=now)


def queue(connection: Connection, member_no: int, message: Queued, now: datetime) -> None:
    """Queue a message for a member; again for the same kind and occasion does nothing."""
    run(
        connection,
        "outbox/queue_message",
        kind=message.kind,
        occasion=message.occasion,
        member_no=member_no,
        channel=message.channel,
        facts=json.dumps(dict(message.facts)),
        at=now,
    )

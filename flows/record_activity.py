"""A share, a check-in or a referral, recorded by staff in the UI: as the API and the command do, by member numbers."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from prefect.runtime import flow_run
from pydantic import Field
from sqlalchemy import Connection

from flows._flow import programme_flow
from loyalty import clock
from loyalty.db import check_ins, idempotency, identity, referrals, triggers
from loyalty.db.engine import transaction
from loyalty.errors import WrongUse
from loyalty.rules.programme import LABEL

What = Literal["share", "check_in", "referral"]
_TAKES: dict[What, str] = {"share": "channel", "check_in": "code", "referral": "referrer"}


@programme_flow(run_name="{what} of M{member}")
def record_activity(
    what: What,
    member: Annotated[int, Field(ge=1)],
    *,
    channel: Annotated[str, Field(pattern=f"^({LABEL})?$")] = "",
    code: Annotated[str, Field(max_length=100)] = "",
    referrer: Annotated[int | None, Field(ge=1)] = None,
) -> str:
    """Record that a member shared, checked in at a location, or was brought by another member.

    The rules say what it gives, and how often. A run does it once: begun again within a week, it tells the same.

    Args:
        what: What the member did; of a referral, the member is the one who was brought.
        member: The member's number: 123 for M123. The command loyalty members find tells it; a customer id stays out.
        channel: Of a share, the channel: one that the rules list, such as instagram.
        code: Of a check-in, the code that the location shows today, as text.
        referrer: Of a referral, the number of the member who brought the other.
    """
    check_fields(what, {"channel": channel, "code": code, "referrer": referrer})

    def record(connection: Connection) -> str:
        customer_id, now = identity.customer_id_of(connection, member), clock.now()
        if what == "share":
            return triggers.share(connection, customer_id, channel, now).told
        if referrer is None:
            return check_ins.check_in(connection, customer_id, code, now).told
        return referrals.refer(connection, identity.customer_id_of(connection, referrer), customer_id, now).told

    return _once(record)


def check_fields(what: What, given: Mapping[str, str | int | None]) -> None:
    """Check that the field is given that tells more of an activity, and no other. Raises WrongUse."""
    for name, value in given.items():
        if bool(value) != (name == _TAKES[what]):
            raise WrongUse(f"{name} must be {'left empty' if value else 'given'} for a {what.replace('_', '-')}")


def _once(record: Callable[[Connection], str]) -> str:
    """What a run did: by its first answer, if it has begun before, as a request with an Idempotency-Key is answered."""
    request = idempotency.Request(idempotency.OF_RUNS, f"run {flow_run.id}", idempotency.digest_of("record_activity"))
    with transaction() as connection:
        first = idempotency.claim(connection, request, clock.now())
        if first is None:
            first = idempotency.Answer(201, json.dumps({"told": record(connection)}))
            idempotency.keep(connection, request, first)
    told: str = json.loads(first.body)["told"]
    return told

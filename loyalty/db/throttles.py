"""Token buckets, one for all processes and machines: how often somebody may try something.

They count the machines' own time, not the programme's: what is throttled is how fast somebody really is.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from loyalty.db.statements import run


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that holds `burst` tokens when full, and gains `per_second`."""

    name: str
    burst: float
    per_second: float


def take(connection: Connection, bucket: Bucket) -> float:
    """Take a token: 0 if there was one, else the seconds until there is."""
    row = run(
        connection,
        "api/take_token",
        bucket=bucket.name,
        per_second=bucket.per_second,
        burst=bucket.burst,
        at=time.time(),
    ).one()
    return (1 - row.tokens) / bucket.per_second if row.refused else 0.0


def seconds_to_wait(connection: Connection, buckets: Iterable[Bucket]) -> float:
    """How long until each bucket has a token, which is left in it; 0 if all have one."""
    wanted = {bucket.name: bucket for bucket in buckets}
    waits = [0.0]
    for row in run(connection, "api/peek_tokens", buckets=list(wanted)):
        bucket = wanted[row.bucket]
        held = row.tokens + max(time.time() - row.at, 0) * bucket.per_second
        waits.append((1 - held) / bucket.per_second)
    return max(waits)

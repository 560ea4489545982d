"""What the laws of identity share: a shop with tills, and members put into it."""

from datetime import UTC, datetime
from typing import Any

from loyalty.db import enrolment
from loyalty.db.engine import transaction
from loyalty.db.identity import find_member
from tests.laws.conftest import databases
from tests.till.conftest import shop

__all__ = ["databases", "shop"]

JANUARY = datetime(2026, 1, 10, 12, tzinfo=UTC)


def put(customer_id: str, /, **fields: Any) -> int:
    """Enrol or change a member; its number."""
    with transaction() as connection:
        enrolment.put_member(connection, customer_id, fields, JANUARY)
        found = find_member(connection, customer_id=customer_id)
    assert found is not None
    return found

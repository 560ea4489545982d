"""Vouchers at a checkout: looked at, held, used, released; each used once. In the caller's transaction."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection

from loyalty.db.statements import run
from loyalty.errors import NotFound, Refused
from loyalty.rules.money import to_major
from loyalty.rules.voucher_codes import normalise

State = Literal["issued", "held", "redeemed", "expired", "void"]


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher as it is now. `held_until` ends a hold, `reference` says what it is held or was used for."""

    code: str
    member_no: int
    customer_id: str
    state: State
    amount: Decimal
    currency: str
    expires_at: datetime
    held_until: datetime | None
    reference: str | None


def look(connection: Connection, code: str, now: datetime) -> Voucher:
    """Read a voucher by the code as somebody typed it: case and look-alikes don't matter. Raises NotFound."""
    return _voucher(_ran(connection, "till/look_at_voucher", code, at=now))


def hold(
    connection: Connection, code: str, now: datetime, *, reference: str | None = None, minutes: int | None = None
) -> Voucher:
    """Hold a voucher for a checkout, for as long as the rules say, or so many minutes; the same reference renews it.

    Raises Refused if it is held for another, used or expired, NotFound for no voucher of ours.
    """
    return _moved(_ran(connection, "till/hold_voucher", code, reference=reference, minutes=minutes, at=now))


def redeem(connection: Connection, code: str, now: datetime, *, reference: str | None = None) -> Voucher:
    """Use a voucher, held under the same reference or not at all. Raises as `hold` does."""
    return _moved(_ran(connection, "till/redeem_voucher", code, reference=reference, at=now))


def release(connection: Connection, code: str, now: datetime, *, reference: str | None = None) -> Voucher:
    """End the hold of that reference; one that is not held stays as it is. Raises Refused if another holds it."""
    found = _ran(connection, "till/release_voucher", code, reference=reference, at=now)
    made = _voucher(found)
    return _moved(found) if made.state == "held" else made


def _ran(connection: Connection, statement: str, code: str, **given: Any) -> Any:
    stored = normalise(code)
    if stored is None:
        return None
    return run(connection, statement, code=stored, **given).one_or_none()


def _moved(found: Any) -> Voucher:
    made = _voucher(found)
    if not found.done:
        raise Refused(f"the voucher is {'held for another checkout' if made.state == 'held' else made.state}")
    return made


def _voucher(found: Any) -> Voucher:
    if found is None or found.code is None:
        raise NotFound("there is no such voucher")
    return Voucher(
        code=found.code,
        member_no=found.member_no,
        customer_id=found.customer_id,
        state=found.state,
        amount=to_major(found.amount, found.currency),
        currency=found.currency,
        expires_at=found.expires_at,
        held_until=found.held_until,
        reference=found.reference,
    )

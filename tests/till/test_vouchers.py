"""Vouchers at a checkout: looked at, held, used once, released."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.db import expiry, redemptions, vouchers
from loyalty.db.engine import transaction
from loyalty.errors import NotFound, Refused
from loyalty.rules.voucher_codes import display
from tests.model import Transaction
from tests.till.conftest import Shop

CLOSED_AT = datetime(2026, 2, 1, tzinfo=UTC)
EXPIRES_AT = datetime(2026, 5, 3, tzinfo=UTC)


def code_of(shop: Shop) -> str:
    """The code of a voucher that a move to Silver brought on 1 February, good to the end of 2 May."""
    till = shop()
    at = datetime(2026, 1, 10, tzinfo=UTC)
    till.purchase(Transaction("T1", "C1", at, 150_000), at)
    till.close("2026-01", now=CLOSED_AT)
    with transaction() as connection:
        return str(connection.execute(text("select code from loyalty.vouchers")).scalar_one())


def done(work: Any, *args: Any, **more: Any) -> Any:
    with transaction() as connection:
        return work(connection, *args, **more)


def test_a_voucher_is_used_once(shop: Shop) -> None:
    """Law (9): issued, held, redeemed; whatever case or look-alikes somebody types; never twice."""
    code = code_of(shop)
    seen = done(vouchers.look, display(code).lower().replace("0", "o").replace("1", "l"), CLOSED_AT)
    held = done(vouchers.hold, code, CLOSED_AT, reference="order 1")
    with pytest.raises(Refused) as other:
        done(vouchers.redeem, code, CLOSED_AT, reference="order 2")
    used = done(vouchers.redeem, code, CLOSED_AT, reference="order 1")
    with pytest.raises(Refused) as again:
        done(vouchers.redeem, code, CLOSED_AT, reference="order 1")

    assert (seen.code, seen.state, str(seen.amount), seen.expires_at) == (code, "issued", "5.00", EXPIRES_AT)
    assert (held.state, held.held_until) == ("held", CLOSED_AT + timedelta(minutes=15))
    assert (used.state, used.reference) == ("redeemed", "order 1")
    assert str(other.value) == "the voucher is held for another checkout"
    assert str(again.value) == "the voucher is redeemed"


def test_a_hold_is_released_by_hand_and_by_time(shop: Shop) -> None:
    """Law (9): a hold ends by its release or its time-out, whatever has been recorded of it."""
    code = code_of(shop)
    done(vouchers.hold, code, CLOSED_AT, reference="order 1", minutes=5)
    released = done(vouchers.release, code, CLOSED_AT, reference="order 1")
    done(vouchers.hold, code, CLOSED_AT, reference="order 2", minutes=5)
    later = CLOSED_AT + timedelta(minutes=5)
    lapsed = done(vouchers.look, code, later)
    taken = done(vouchers.hold, code, later, reference="order 3", minutes=5)
    swept = [done(redemptions.sweep, later + timedelta(minutes=minutes)) for minutes in (4, 5, 6)]

    assert (released.state, lapsed.state, taken.reference) == ("issued", "issued", "order 3")
    assert swept == [0, 1, 0]
    assert done(vouchers.look, code, later).state == "issued"


def test_a_voucher_ends_with_its_last_day_unless_it_is_held(shop: Shop) -> None:
    """Law (9): it can be held to the last instant, and used while that hold lasts; then it has expired."""
    code = code_of(shop)
    last = EXPIRES_AT - timedelta(microseconds=1)
    done(vouchers.hold, code, last, reference="order 1", minutes=5)
    expiry.expire(EXPIRES_AT)
    held = done(vouchers.look, code, EXPIRES_AT)
    after = done(vouchers.look, code, EXPIRES_AT + timedelta(minutes=5))
    used = done(vouchers.redeem, code, EXPIRES_AT + timedelta(minutes=4), reference="order 1")
    expiry.expire(EXPIRES_AT + timedelta(days=1))

    assert (held.state, after.state, used.state) == ("held", "expired", "redeemed")
    assert done(vouchers.look, code, EXPIRES_AT + timedelta(days=2)).state == "redeemed"


def test_an_expired_voucher_and_a_wrong_code_are_told(shop: Shop) -> None:
    """Law (9): nothing can be done with a voucher past its last day, nor with what is no code of ours."""
    code = code_of(shop)
    with pytest.raises(Refused) as expired:
        done(vouchers.redeem, code, EXPIRES_AT)
    for wrong in ("", "0000000000000", code[:-1], f"{code}0"):
        with pytest.raises(NotFound):
            done(vouchers.look, wrong, CLOSED_AT)

    assert str(expired.value) == "the voucher is expired"

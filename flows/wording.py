"""What the daily flows did, in a line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loyalty.db.expiry import Expired
    from loyalty.messages.delivery import Delivered


def delivered(done: "Delivered") -> str:
    """A delivery of the outbox."""
    late = f"{done.delayed:,} delayed to the morning"
    return f"{done.sent:,} sent, {done.withheld:,} withheld, {late}, {done.failed:,} failed"


def expired(done: "Expired") -> str:
    """A day's expiry."""
    return (
        f"{done.lots:,} lots with {done.points:,} points and {done.vouchers:,} vouchers expired, "
        f"{done.reviews:,} reviews ended, {done.warnings:,} warnings"
    )


def backfilled(first: str, last: str, changed: int, months: int) -> str:
    """A backfill: how many of its months it closed."""
    return f"{first} to {last}: {changed} of {months} months closed" if changed else f"{first} to {last}: unchanged"

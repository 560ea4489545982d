"""What running campaigns give: vouchers and messages as they begin, points for purchases, and what refunds take back.

`run` does all that is due. It may run at any time, however often, late, and at once with itself: a purchase counts for
one campaign, once, and no campaign gives more than its budget. Points land in the month that the purchase is booked to
while that is open; so a close that is begun by `run` has all of them in its statements.
"""

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row

from loyalty.db import grants
from loyalty.db.closing import Batch
from loyalty.db.engine import connect, transaction
from loyalty.db.statements import run as statement


@dataclass(frozen=True, slots=True)
class Given:
    """What a run did: members drawn, vouchers, messages, purchases awarded and their points, points taken back."""

    drawn: int = 0
    vouchers: int = 0
    messages: int = 0
    purchases: int = 0
    points: int = 0
    taken_back: int = 0

    def __add__(self, other: "Given") -> "Given":
        """Both together."""
        return Given(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def run(now: datetime) -> Given:
    """Do all that campaigns have to do by an instant; nothing, at the cost of one look, where there is no campaign."""
    with connect() as connection:
        if not statement(connection, "campaigns/exist").scalar_one():
            return Given()
        running = statement(connection, "campaigns/find_running", at=now).all()
        months = statement(connection, "campaigns/find_periods", at=now).all()
        numbers = statement(connection, "closing/find_terms_now", as_of=now).one()
    done = Given()
    for campaign in running:
        if campaign.lasts or (campaign.for_all and months):
            since = None if campaign.lasts else months[0].period
            with transaction() as connection:
                done += begin(connection, campaign.campaign_no, now, draw=campaign.for_all, buyers_since=since)
    for month in months:
        for part in Batch(numbers.first_member, numbers.stop_member).ranges():
            done += _awarded(month, part) + _taken_back(month, part)
    return done


def begin(
    connection: Connection, campaign_no: int, now: datetime, *, draw: bool, buyers_since: date | None = None
) -> Given:
    """Draw who is not drawn yet, if that is asked for, and give those drawn their voucher and message.

    `buyers_since`: only those who bought in its time, booked to that month or later. In the caller's transaction.
    """
    statement(connection, "campaigns/lock_running", campaign_no=campaign_no)
    drawn = draw_members(connection, campaign_no, now, buyers_since) if draw else 0
    issued = statement(connection, "campaigns/issue", campaign_no=campaign_no, at=now).one()
    return Given(drawn=drawn, vouchers=issued.vouchers, messages=issued.messages)


def draw_members(connection: Connection, campaign_no: int, now: datetime, buyers_since: date | None = None) -> int:
    """Draw the members whom a campaign's conditions fit now and who are not drawn yet; how many."""
    drawn = statement(connection, "campaigns/draw_members", campaign_no=campaign_no, buyers_since=buyers_since, at=now)
    return drawn.rowcount


def award(
    connection: Connection,
    period: date,
    part: Batch,
    members: list[int] | None,
    at: datetime,
    *,
    only: int | None = None,
) -> Given:
    """Award the purchases of a month to a range of members (None: no matter whom), pass by pass, in this transaction.

    A purchase that found its best campaign used up tries the next in the next pass. The grants are not posted yet.
    The caller holds the campaigns and the accounts. `only` one campaign: no other is looked at.
    """
    done = Given()
    while True:
        found = statement(
            connection,
            "campaigns/award",
            period=period,
            first_member=part.first,
            stop_member=part.stop,
            members=members,
            campaign_no=only,
            at=at,
        ).one()
        done += Given(purchases=found.awarded, points=found.points)
        if not found.awarded or not found.passed_over:
            return done


def _awarded(month: Row[Any], part: Batch) -> Given:
    """The purchases of a month and a range of members awarded, and posted, in one transaction."""
    period, at = month.period, month.booked_at
    with transaction() as connection:
        members = _locked(connection, "campaigns/lock_buyers", period, part, at=at)
        if not members:
            return Given()
        statement(connection, "campaigns/lock_running", campaign_no=None)
        done = award(connection, period, part, members, at)
        grants.post(connection, part.first, part.stop, at)
        return done


def _taken_back(month: Row[Any], part: Batch) -> Given:
    """What the refunds of a month take back of a range of members, in one transaction."""
    period, at = month.period, month.booked_at
    with transaction() as connection:
        members = _locked(connection, "campaigns/lock_refunded", period, part)
        if not members:
            return Given()
        statement(connection, "campaigns/lock_running", campaign_no=None)
        found = statement(connection, "campaigns/find_take_backs", period=period, members=members, at=at).one()
        booked = statement(connection, "campaigns/book", at=at).scalar_one()
        while statement(connection, "campaigns/take_back", members=members, month=booked, at=at).scalar_one():
            pass  # a member's take-backs one after the other: each draws on what the one before left
        grants.post(connection, part.first, part.stop, at)
        return Given(taken_back=found.points)


def _locked(connection: Connection, name: str, period: date, part: Batch, **more: datetime) -> list[int]:
    rows = statement(connection, name, period=period, first_member=part.first, stop_member=part.stop, **more)
    return list(rows.scalars())

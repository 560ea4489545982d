"""What flows did, in a line."""

from datetime import datetime
from typing import TYPE_CHECKING

from loyalty.rules.periods import display_period

if TYPE_CHECKING:
    from loyalty.api.events import Drained
    from loyalty.db.campaign_awards import Given
    from loyalty.db.campaigns import Known
    from loyalty.db.expiry import Expired
    from loyalty.db.milestones import Day
    from loyalty.db.recompute import Difference, MonthDifference
    from loyalty.db.segments import Counts
    from loyalty.messages.delivery import Delivered


def delivered(done: "Delivered") -> str:
    """A delivery of the outbox."""
    late = f"{done.delayed:,} delayed to the morning"
    said = f"{done.sent:,} sent, {done.withheld:,} withheld, {late}, {done.failed:,} failed"
    if done.later:
        said += f", {done.later:,} to be tried again"
    if done.unknown:
        said += f", {done.unknown:,} may have gone or not: see `loyalty messages unknown list`"
    return said


def left_waiting() -> str:
    """More messages than a close delivers itself, and no deployment that does."""
    return "many wait: `loyalty notify`, or the next daily_notifications, delivers them"


def drained(done: "Drained") -> str:
    """A drain of the inbox."""
    held = f", {done.held:,} are held" if done.held else ""
    return f"{done.applied:,} events applied, {done.waiting:,} wait on, {done.dead:,} are dead{held}"


def expired(done: "Expired") -> str:
    """A day's expiry."""
    return (
        f"{done.lots:,} lots with {done.points:,} points and {done.vouchers:,} vouchers expired, "
        f"{done.reviews:,} reviews ended, {done.warnings:,} warnings"
    )


def segmented(counts: "Counts") -> str:
    """Segments, computed."""
    sizes = ", ".join(f"{members:,} {name.replace('_', ' ')}" for name, members in counts.members.items())
    return f"{counts.known:,} members: {sizes}"


def campaigned(given: "Given", campaigns: int) -> str:
    """A day of campaigns."""
    return (
        f"{campaigns:,} campaigns: {given.drawn:,} members drawn, {given.vouchers:,} vouchers, "
        f"{given.purchases:,} purchases with {given.points:,} points, {given.taken_back:,} points taken back"
    )


def campaign_asked(known: "Known", now: datetime) -> str:
    """A campaign that was asked for, now or before."""
    if known.state == "open":
        return f"{known.name} waits for approval {known.approval_no}, asked by {known.asked_by}"
    return f"{known.name} is {known.state_at(now)} already: unchanged"


def backfilled(first: str, last: str, changed: int, months: int) -> str:
    """A backfill: how many of its months it closed."""
    return f"{first} to {last}: {changed} of {months} months closed" if changed else f"{first} to {last}: unchanged"


def milestones(done: "Day") -> str:
    """A daily run of the triggers: how many grants of each kind."""
    given = ", ".join(f"{grants:,} {kind}" for kind, grants in done.granted.items() if grants)
    days = f"{done.first_day} to {done.last_day}" if done.first_day != done.last_day else f"{done.last_day}"
    return f"{days}: {given or 'nothing to give'}"


def recomputed(found: "Difference") -> str:
    """A recompute: what waits to be posted, and under which approval."""
    months = f"{display_period(found.first)} to {display_period(found.last)}"
    if found.approval_no is None:
        return f"{months}: unchanged, every point is where it would be"
    credited, debited = (sum(getattr(one, name) for one in found.months) for name in ("credited", "debited"))
    return f"{months}: +{credited:,} and -{debited:,} points wait for approval {found.approval_no}"


def recomputed_month(found: "MonthDifference") -> str:
    """A month of a recompute."""
    points = f"+{found.credited:,} and -{found.debited:,} points of {found.members:,} members"
    return (
        f"{display_period(found.period)}: {points if found.members else 'no points'}, {found.tiers:,} in another tier"
    )

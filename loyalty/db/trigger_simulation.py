"""What a trigger would give before it starts: how many members how many points in a month. Reads only."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from sqlalchemy import Connection

from loyalty.db.milestones import simulated
from loyalty.db.statements import run
from loyalty.rules.programme import Programme

Kind = Literal["registration", "profile", "referral", "share", "check_in", "birthday", "anniversary", "visits"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a trigger would give in a month: to so many members, so often, so many points in all.

    `basis` says what that is taken from, and whether it is exact or the most it can be.
    """

    kind: Kind
    period: date
    members: int
    grants: int
    points: int
    basis: str


def simulate(connection: Connection, kind: Kind, period: date, rules: Programme) -> Simulated:
    """Count who would be given what in a month under these rules, by what is known of members now."""
    match kind:
        case "referral":
            members = run(connection, "triggers/simulate_referrals", period=period).scalar_one()
            points = members * (rules.referral_points + rules.referred_points)
            about = "at most: had every member who was enrolled and bought in the month been referred"
            return Simulated(kind, period, 2 * members, 2 * members, points, about)
        case "share":
            found = run(connection, "triggers/simulate_shares", period=period).one()
            shares = found.members * found.days * len(rules.share_channels)
            about = "at most: had every member who bought in the month shared on every channel each day"
            return Simulated(kind, period, found.members, shares, shares * rules.share_points, about)
        case "check_in":
            found = run(connection, "triggers/simulate_check_ins", period=period).one()
            about = "had members checked in wherever they bought in the month, once a day and location"
            return Simulated(kind, period, found.members, found.grants, found.grants * rules.check_in_points, about)
    work = simulated(kind, rules, period)
    counted = run(
        connection,
        "triggers/count_due",
        kind=kind,
        days=work.days,
        points=work.points,
        visits_each=work.visits_each,
    ).one()
    return Simulated(kind, period, counted.members, counted.grants, counted.points, _BASIS[kind])


_BASIS = {
    "registration": "members who were enrolled in the month",
    "profile": "members whose profile is complete now: each once, whatever the month",
    "birthday": "members whose birthday is in the month",
    "anniversary": "members who joined in this month of an earlier year",
    "visits": "days on which members bought in the month, counted from its beginning",
}

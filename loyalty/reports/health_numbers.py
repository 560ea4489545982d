"""The numbers of the monthly health report: what the programme gave out, who moved, and that the points add up."""

from collections import Counter
from datetime import date
from typing import TypedDict

import pandas as pd
from sqlalchemy import Connection

from loyalty.db.statements import run
from loyalty.reports import facts, stored
from loyalty.reports.facts import Programme, Tier, total
from loyalty.rules.periods import display_period, previous

REVIEW_STATES = ("open", "approved", "rejected", "lapsed")
MESSAGE_STATES = ("queued", "sent", "withheld", "failed")


class Points(TypedDict):
    """The roll-forward: opening + earned - redeemed - expired + adjusted = closing, sums over the period's statements.

    outstanding is what members could still spend (balances above zero), owed what others owe; value is outstanding
    in minor units. carried says whether opening is the closing of the period before, None if that has no report.
    """

    opening: int
    earned: int
    redeemed: int
    expired: int
    adjusted: int
    closing: int
    outstanding: int
    owed: int
    value: int
    carried: bool | None


class Members(TypedDict):
    """How many are enrolled now, and of them the ones with a statement and with a transaction in the period."""

    enrolled: int
    stated: int
    active: int


class Moves(TypedDict):
    """Members by the tier at the opening and after the close; `matrix` is rows before, columns after, by `tiers`."""

    tiers: list[str]
    matrix: list[list[int]]
    up: int
    down: int
    up_to: dict[str, int]


class Approvals(TypedDict):
    """Upgrades that need a manager: this period's that wait, all that wait, and this period's that were approved later.

    The latter took effect after the period's end and are moves of a later month.
    """

    waiting: int
    waiting_in_all: int
    later: int


class Vouchers(TypedDict):
    """Vouchers that came with the period's moves into a tier; amount in minor units."""

    tier: str
    vouchers: int
    amount: int


class Given(TypedDict):
    """Points of one kind of entry that are for anything but a purchase, given and taken, to how many, how often."""

    kind: str
    members: int
    times: int
    given: int
    taken: int


class Month(TypedDict):
    """What later reports show of a period."""

    period: str
    points: int
    active: int
    moved_up: int
    closing: int


class Health(TypedDict):
    """The report's numbers, as plain JSON values."""

    period: str
    programme: Programme
    summary: Month
    points: Points
    given: list[Given]
    members: Members
    moves: Moves
    approvals: Approvals
    members_by_tier: dict[str, int]
    reviews: dict[str, dict[str, int]]
    vouchers: list[Vouchers]
    gifts: dict[str, dict[str, int]]
    messages: dict[str, dict[str, int]]
    not_sent: dict[str, int]
    trend: list[Month]


def numbers(connection: Connection, period: date) -> Health:
    """Everything the report says of the period. Raises Refused where there are no rules."""
    rules = facts.programme(connection, period)
    tiers = facts.tiers(connection, rules["rules_version"])
    totals = facts.table(connection, "steps/generate_monthly_loyalty_health_report", period)
    earlier = stored.earlier_summaries(connection, period, "health")
    reviews, later = _reviews(connection, tiers, period)
    enrolled = _members_by_tier(connection, tiers)
    points = _points(totals, rules, earlier.get(previous(period)))
    moves = _moves(totals, tiers)
    summary: Month = {
        "period": display_period(period),
        "points": points["earned"],
        "active": total(totals, "active"),
        "moved_up": moves["up"],
        "closing": points["closing"],
    }
    return {
        "period": display_period(period),
        "programme": rules,
        "summary": summary,
        "points": points,
        "given": _given(connection, period),
        "members": {
            "enrolled": sum(enrolled.values()),
            "stated": total(totals, "members"),
            "active": summary["active"],
        },
        "moves": moves,
        "approvals": {
            "waiting": sum(states.get("open", 0) for states in reviews.values()),
            "waiting_in_all": run(connection, "reports/reviews_waiting").scalar_one(),
            "later": later,
        },
        "members_by_tier": enrolled,
        "reviews": reviews,
        "vouchers": _vouchers(connection, tiers, period),
        "gifts": _counted(connection, "reports/gifts_due", period),
        "messages": _counted(connection, "reports/messages_by_kind", period),
        "not_sent": {row.reason: row.messages for row in run(connection, "reports/messages_not_sent", period=period)},
        "trend": [*earlier.values(), summary],
    }


def _points(totals: pd.DataFrame, rules: Programme, before: Month | None) -> Points:
    opening, owed, closing = (total(totals, column) for column in ("opening", "owed", "closing"))
    outstanding = closing - owed
    return {
        "opening": opening,
        "earned": total(totals, "earned"),
        "redeemed": total(totals, "redeemed"),
        "expired": total(totals, "expired"),
        "adjusted": total(totals, "adjusted"),
        "closing": closing,
        "outstanding": outstanding,
        "owed": -owed,
        "value": facts.worth(outstanding, rules),
        "carried": None if before is None else before["closing"] == opening,
    }


def rolled_forward(points: Points) -> int:
    """What closing must be by the other figures."""
    return points["opening"] + points["earned"] - points["redeemed"] - points["expired"] + points["adjusted"]


def _moves(totals: pd.DataFrame, tiers: list[Tier]) -> Moves:
    """The migration matrix over the ladder's tiers and those that a statement names beside them."""
    named = set(totals["tier_before"]) | set(totals["tier_after"])
    shown = [tier for tier in tiers if tier.rung is not None or tier.number in named]
    numbers_shown = [tier.number for tier in shown]
    table = totals.pivot_table(
        index="tier_before", columns="tier_after", values="members", aggfunc="sum", fill_value=0
    ).reindex(index=numbers_shown, columns=numbers_shown, fill_value=0)
    matrix = [[int(count) for count in row] for row in table.to_numpy()]
    rungs = [tier.rung for tier in shown]
    up_to: Counter[str] = Counter()
    down = 0
    for before, line in zip(rungs, matrix, strict=True):
        for after, count, tier in zip(rungs, line, shown, strict=True):
            if before is not None and after is not None:
                up_to[tier.name] += count if after > before else 0
                down += count if after < before else 0
    return {
        "tiers": [tier.name for tier in shown],
        "matrix": matrix,
        "up": sum(up_to.values()),
        "down": down,
        "up_to": {name: count for name, count in up_to.items() if count},
    }


def _members_by_tier(connection: Connection, tiers: list[Tier]) -> dict[str, int]:
    """Members by the tier now held: every tier of the ladder, and others that somebody holds."""
    held = {row.tier_no: int(row.members) for row in run(connection, "reports/members_by_tier")}
    return {tier.name: held.get(tier.number, 0) for tier in tiers if tier.rung is not None or tier.number in held}


def _reviews(connection: Connection, tiers: list[Tier], period: date) -> tuple[dict[str, dict[str, int]], int]:
    """The period's reviews as {tier: {state: count}}, and how many of them took effect after its end."""
    table = facts.table(connection, "reports/reviews_by_state", period)
    states: dict[str, dict[str, int]] = {}
    for tier in tiers:
        theirs = table[table["tier_no"] == tier.number]
        if len(theirs):
            states[tier.name] = dict(zip(theirs["state"], theirs["reviews"], strict=True))
    return states, total(table, "later")


def _given(connection: Connection, period: date) -> list[Given]:
    return [
        {"kind": row.kind, "members": row.members, "times": row.times, "given": row.given, "taken": row.taken}
        for row in run(connection, "reports/points_given", period=period)
    ]


def _vouchers(connection: Connection, tiers: list[Tier], period: date) -> list[Vouchers]:
    table = facts.table(connection, "reports/vouchers_issued", period)
    sums = {tier.name: table[table["tier_no"] == tier.number] for tier in tiers}
    return [
        {"tier": name, "vouchers": total(part, "vouchers"), "amount": total(part, "amount")}
        for name, part in sums.items()
        if len(part)
    ]


def _counted(connection: Connection, name: str, period: date) -> dict[str, dict[str, int]]:
    """Rows of (what, state, count) as {what: {state: count}}."""
    counted: dict[str, dict[str, int]] = {}
    for row in run(connection, name, period=period):
        what, state, count = tuple(row)
        counted.setdefault(what, {})[state] = count
    return counted

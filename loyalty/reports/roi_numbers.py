"""The numbers of the ROI report: what members of each tier spend, what rewards cost, what changed when members moved.

The first is a description, not an effect: members reach a tier because they spend. So the same members' spend before
and after their move stands beside it, with everyone's in the same months.
"""

from datetime import date
from typing import TypedDict

import pandas as pd
from sqlalchemy import Connection

from loyalty.db.statements import run
from loyalty.reports import facts, stored
from loyalty.reports.facts import Programme, Tier, total
from loyalty.rules.periods import display_period, shifted

SIDE = 3  # periods looked at on each side of a move
MOST_MEMBERS = 100_000  # of a larger programme, so many are looked at around their moves
PAIR = ("Gold", "Silver")


class TierSpend(TypedDict):
    """Members with a statement by the tier held when the period ended, and what they spent (minor units)."""

    tier: str
    members: int
    active: int
    spend: int


class TierCost(TypedDict):
    """What rewards of these members cost, in minor units: points at the books' value, vouchers at face value."""

    tier: str
    points: int
    vouchers: int
    spend: int


class Around(TypedDict):
    """Members who moved into a tier: their spend in minor units over the periods before and after."""

    tier: str
    members: int
    before: int
    after: int


class Everyone(TypedDict):
    """All members' spend over the same periods: minor units, and the statements they were on."""

    before: int
    before_statements: int
    after: int
    after_statements: int


class Cohort(TypedDict):
    """The members whose move took effect in `month`, the first of the periods after it.

    nth tells a sample: one in so many blocks of members was looked at. everyone is None if a month's report is missing.
    """

    month: str
    nth: int
    tiers: list[Around]
    everyone: Everyone | None


class Month(TypedDict):
    """What later reports show of a period."""

    period: str
    statements: int
    spend: int
    tiers: list[TierSpend]
    cohort: Cohort


class Roi(TypedDict):
    """The report's numbers, as plain JSON values. pair is (higher tier, lower tier), the two to compare, or None."""

    period: str
    programme: Programme
    summary: Month
    pair: list[str] | None
    costs: list[TierCost]
    trend: list[Month]


def numbers(connection: Connection, period: date) -> Roi:
    """Everything the report says of the period. Raises Refused where there are no rules."""
    rules = facts.programme(connection, period)
    tiers = facts.tiers(connection, rules["rules_version"])
    totals = facts.table(connection, "steps/aggregate_program_roi", period)
    earlier = stored.earlier_summaries(connection, period, "roi")
    summary: Month = {
        "period": display_period(period),
        "statements": total(totals, "members"),
        "spend": total(totals, "spend"),
        "tiers": _spend(totals, tiers),
        "cohort": {"month": display_period(shifted(period, 1 - SIDE)), "nth": 1, "tiers": [], "everyone": None},
    }
    months = {**earlier, period: summary}
    summary["cohort"] = _cohort(connection, tiers, months, period)
    return {
        "period": display_period(period),
        "programme": rules,
        "summary": summary,
        "pair": _pair(tiers),
        "costs": _costs(connection, totals, tiers, rules, period),
        "trend": [*months.values()],
    }


def _pair(tiers: list[Tier]) -> list[str] | None:
    """Gold and Silver where the ladder has both, else its third and second tier, else its second and first."""
    ladder = [tier.name for tier in tiers if tier.rung is not None]
    named = {name.casefold(): name for name in ladder}
    pair = [named[name.casefold()] for name in PAIR if name.casefold() in named]
    if len(pair) == len(PAIR):
        return pair
    return [ladder[2], ladder[1]] if len(ladder) > 2 else ladder[::-1] if len(ladder) == 2 else None


def _spend(totals: pd.DataFrame, tiers: list[Tier]) -> list[TierSpend]:
    held = {tier.number: totals[totals["tier_held"] == tier.number] for tier in tiers}
    return [
        {
            "tier": tier.name,
            "members": total(held[tier.number], "members"),
            "active": total(held[tier.number], "active"),
            "spend": total(held[tier.number], "spend"),
        }
        for tier in tiers
        if tier.rung is not None or len(held[tier.number])
    ]


def _costs(
    connection: Connection, totals: pd.DataFrame, tiers: list[Tier], rules: Programme, period: date
) -> list[TierCost]:
    vouchers = facts.table(connection, "reports/vouchers_issued", period)
    costs: list[TierCost] = []
    for tier in tiers:
        theirs = totals[totals["tier_held"] == tier.number]
        brought = vouchers[vouchers["tier_held"] == tier.number]
        if tier.rung is not None or len(theirs) or len(brought):
            costs.append(
                {
                    "tier": tier.name,
                    "points": facts.worth(total(theirs, "earned"), rules),
                    "vouchers": total(brought, "amount"),
                    "spend": total(theirs, "spend"),
                }
            )
    return costs


def _cohort(connection: Connection, tiers: list[Tier], months: dict[date, Month], period: date) -> Cohort:
    """The members whose third month after the move is this period."""
    first_after = shifted(period, 1 - SIDE)
    first_before = shifted(first_after, -SIDE)
    rows = run(
        connection,
        "reports/spend_around_moves",
        first_before=first_before,
        first_after=first_after,
        last_after=period,
        most=MOST_MEMBERS,
    ).all()
    names = {tier.number: tier.name for tier in tiers}
    return {
        "month": display_period(first_after),
        "nth": max([1, *(row.nth for row in rows)]),
        "tiers": [
            {"tier": names[row.tier_no], "members": row.members, "before": int(row.before), "after": int(row.after)}
            for row in rows
        ],
        "everyone": _everyone(months, first_before, first_after),
    }


def _everyone(months: dict[date, Month], first_before: date, first_after: date) -> Everyone | None:
    """All members' spend around a cohort's move, from the reports of those periods; None if one of them is missing."""
    before = [months[month] for month in _three_from(first_before) if month in months]
    after = [months[month] for month in _three_from(first_after) if month in months]
    if len(before) + len(after) < 2 * SIDE:
        return None
    return {
        "before": sum(month["spend"] for month in before),
        "before_statements": sum(month["statements"] for month in before),
        "after": sum(month["spend"] for month in after),
        "after_statements": sum(month["statements"] for month in after),
    }


def _three_from(first: date) -> list[date]:
    return [shifted(first, months) for months in range(SIDE)]

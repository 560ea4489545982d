"""The report on the programme's return as a reader sees it; roi_numbers.py says what is in it."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from loyalty.reports import charts, markdown_pages
from loyalty.reports.formats import (
    NOTHING,
    average,
    axis_months,
    change,
    money,
    month,
    percent,
    point_value,
    short_money,
    times,
    whole,
)
from loyalty.reports.page import Headline, Page, Section, Table, Text, basis
from loyalty.reports.roi_numbers import SIDE, Cohort, Everyone, Roi, TierCost, TierSpend, numbers
from loyalty.rules.periods import parse_period

__all__ = ["Roi", "markdown", "numbers", "page"]

DESCRIPTIVE = (
    "Descriptive, not an effect: members reach a higher tier because they spend, so a higher tier would spend more "
    "even if it brought nothing. Look below for what the same members spent before and after they moved."
)
REGRESSION = (
    "Members move up after months of high spend, so some fall back is to be expected; a season moves everybody. "
    "Compare the change with that of all members in the same months."
)


class Around(NamedTuple):
    """Members who moved into a tier, pooled: mean spend of one in one month, before and after, in minor units."""

    tier: str
    members: int
    before: int | None
    after: int | None


def markdown(report: Roi) -> str:
    """The report as Markdown, its charts as images within."""
    return markdown_pages.markdown(page(report))


def page(report: Roi) -> Page:
    """The report as headlines and sections."""
    return Page(
        title="Programme ROI",
        programme=report["programme"]["name"],
        period=month(parse_period(report["period"])),
        basis=basis(report["programme"]),
        headlines=_headlines(report),
        sections=(_spend(report), _around_moves(report), _costs(report)),
    )


def _headlines(report: Roi) -> tuple[Headline, ...]:
    currency = report["programme"]["currency"]
    cost = sum(one["points"] + one["vouchers"] for one in report["costs"])
    spend = report["summary"]["spend"]
    costs = Headline(
        "Reward cost", percent(cost, spend), f"of spend: {money(cost, currency)} of {money(spend, currency)}"
    )
    if report["pair"] is None:
        return (costs,)
    upper, lower = (_mean(_tier(report["summary"]["tiers"], name)) for name in report["pair"])
    into = next((one for one in _pooled(report) if one.tier == report["pair"][0]), None)
    return (
        Headline(f"{report['pair'][0]} average spend", money(upper, currency), "a member, this month; descriptive"),
        Headline(
            f"{report['pair'][1]} average spend",
            money(lower, currency),
            f"{report['pair'][0]} members spent {times(upper, lower)} as much",
        ),
        Headline(
            f"After moving to {report['pair'][0]}",
            NOTHING if into is None else change(into.before, into.after),
            "the same members' monthly spend against before",
        ),
        costs,
    )


def _tier(tiers: Iterable[TierSpend], name: str) -> TierSpend:
    nobody: TierSpend = {"tier": name, "members": 0, "active": 0, "spend": 0}
    return next((one for one in tiers if one["tier"] == name), nobody)


def _mean(tier: TierSpend) -> int | None:
    return average(tier["spend"], tier["members"])


def _spend(report: Roi) -> Section:
    currency = report["programme"]["currency"]
    tiers = report["summary"]["tiers"]
    everybody: TierSpend = {
        "tier": "All",
        "members": sum(one["members"] for one in tiers),
        "active": sum(one["active"] for one in tiers),
        "spend": sum(one["spend"] for one in tiers),
    }
    pair = report["pair"] or []
    bars = [
        charts.Bar(
            one["tier"], ((_mean(one) or 0, "a" if one["tier"] in pair else "pale"),), money(_mean(one), currency)
        )
        for one in tiers
    ]
    rows = tuple(
        (
            one["tier"],
            whole(one["members"]),
            whole(one["active"]),
            money(one["spend"], currency),
            money(_mean(one), currency),
            money(average(one["spend"], one["active"]), currency),
        )
        for one in (*tiers, everybody)
    )
    headers = ("Tier", "Members", "Buying", "Spend", "Average spend", "Per buying member")
    caption = "Members with a statement by the tier they held when the month ended, and their net eligible spend"
    return Section(
        f"Average spend: {' against '.join(pair)}" if pair else "Average spend",
        (
            Text(DESCRIPTIVE, warning=True),
            charts.bars("Average spend of a member by tier", bars),
            Table(caption, headers, rows, total=True),
            *_trend(report),
        ),
    )


def _trend(report: Roi) -> tuple[charts.Chart, ...]:
    """The two tiers' average spend over the months, once there are two months to compare."""
    trend, currency = report["trend"], report["programme"]["currency"]
    if report["pair"] is None or len(trend) < 2:
        return ()
    labels = axis_months([parse_period(one["period"]) for one in trend])
    series = [
        (style, name, [_mean(_tier(one["tiers"], name)) for one in trend])
        for style, name in zip(("a", "b"), report["pair"], strict=True)
    ]
    title = f"Average spend of {' and '.join(report['pair'])} members by month"
    return (
        charts.lines(
            title, labels, series, lambda minor: money(minor, currency), lambda minor: short_money(minor, currency)
        ),
    )


def _pooled(report: Roi) -> list[Around]:
    """The year's cohorts together, by tier in the ladder's order."""
    months = [around for one in report["trend"] for around in one["cohort"]["tiers"]]
    pooled = []
    for name in dict.fromkeys([one["tier"] for one in report["summary"]["tiers"]] + [one["tier"] for one in months]):
        theirs = [one for one in months if one["tier"] == name]
        members = sum(one["members"] for one in theirs)
        before = average(sum(one["before"] for one in theirs), members * SIDE)
        after = average(sum(one["after"] for one in theirs), members * SIDE)
        if members:
            pooled.append(Around(name, members, before, after))
    return pooled


def _everyone(cohorts: Iterable[Cohort]) -> tuple[int | None, int | None]:
    """All members' mean monthly spend before and after, each cohort's months weighted by its members.

    None if a cohort that counts lacks it: the comparison would be with other months.
    """
    counted = [
        (sum(one["members"] for one in cohort["tiers"]), cohort["everyone"]) for cohort in cohorts if cohort["tiers"]
    ]
    members = sum(weight for weight, _ in counted)
    known = [(weight, everyone) for weight, everyone in counted if everyone and _stated(everyone)]
    if not members or len(known) < len(counted):
        return None, None
    before = sum(Decimal(weight * one["before"]) / one["before_statements"] for weight, one in known)
    after = sum(Decimal(weight * one["after"]) / one["after_statements"] for weight, one in known)
    return round(before / members), round(after / members)


def _stated(everyone: Everyone) -> bool:
    return everyone["before_statements"] > 0 and everyone["after_statements"] > 0


def _around_moves(report: Roi) -> Section:
    currency = report["programme"]["currency"]
    cohorts = [one["cohort"] for one in report["trend"]]
    pooled = _pooled(report)
    told = f"Mean monthly spend of one member in the {SIDE} months before the move and the {SIDE} after."
    nth = max(cohort["nth"] for cohort in cohorts)
    if nth > 1:
        told += f" One in {nth} blocks of neighbouring members was looked at."
    rows = [
        (
            one.tier,
            whole(one.members),
            money(one.before, currency),
            money(one.after, currency),
            change(one.before, one.after),
        )
        for one in pooled
    ]
    before, after = _everyone(cohorts)
    if rows:
        rows.append(
            (
                "All members, same months",
                NOTHING,
                money(before, currency),
                money(after, currency),
                change(before, after),
            )
        )
    bars = [bar for one in pooled for bar in _pair_of_bars(one, currency)]
    legend = (("pale", f"{SIDE} months before"), ("a", f"{SIDE} months after"))
    chart = (charts.bars("Monthly spend before and after moving into the tier", bars, legend),) if bars else ()
    table = Table(
        f"Members whose move up lies {SIDE} months back or more, within the last twelve reports",
        ("Moved into", "Members", "Before", "After", "Change"),
        tuple(rows),
    )
    return Section("The same members before and after their move", (Text(told), *chart, table, Text(REGRESSION)))


def _pair_of_bars(one: Around, currency: str) -> tuple[charts.Bar, charts.Bar]:
    return (
        charts.Bar(one.tier, ((one.before or 0, "pale"),), money(one.before, currency)),
        charts.Bar("", ((one.after or 0, "a"),), f"{money(one.after, currency)} ({change(one.before, one.after)})"),
    )


def _costs(report: Roi) -> Section:
    rules = report["programme"]
    currency = rules["currency"]
    everything: TierCost = {
        "tier": "All",
        "points": sum(one["points"] for one in report["costs"]),
        "vouchers": sum(one["vouchers"] for one in report["costs"]),
        "spend": sum(one["spend"] for one in report["costs"]),
    }
    bars = [
        charts.Bar(one["tier"], ((one["points"], "a"), (one["vouchers"], "c")), f"{cost} ({share})")
        for one in report["costs"]
        for cost, share in [_cost(one, currency)]
    ]
    rows = tuple(
        (
            one["tier"],
            money(one["points"], currency),
            money(one["vouchers"], currency),
            cost,
            money(one["spend"], currency),
            share,
        )
        for one in (*report["costs"], everything)
        for cost, share in [_cost(one, currency)]
    )
    each = point_value(Decimal(rules["point_value"]), currency)
    told = (
        f"Points earned at {each} each and the face value of vouchers issued for the month's moves, used or not, by "
        "the tier held before; gifts have no price in the rules. In brackets, the share of those members' spend."
    )
    headers = ("Tier", "Points", "Vouchers", "Cost", "Spend", "Cost of spend")
    return Section(
        "What rewards cost",
        (
            Text(told),
            charts.bars("Reward cost by tier", bars, (("a", "Points earned"), ("c", "Vouchers issued"))),
            Table("Reward cost and spend", headers, rows, total=True),
        ),
    )


def _cost(one: TierCost, currency: str) -> tuple[str, str]:
    """What the rewards of a tier's members cost, and what share of their spend that is."""
    cost = one["points"] + one["vouchers"]
    return money(cost, currency), percent(cost, one["spend"])

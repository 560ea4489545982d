"""What a change of the rules would bring: a simulated month under the rules as they are and as they would be.

`figures` is what is stored with the proposal, plain JSON values; the page is made from them alone, so that a manager
decides on what was simulated when the change was asked for.
"""

from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any, TypedDict

from sqlalchemy import Connection

from loyalty.db.rules_changes import Draft, Proposal, of_approval
from loyalty.db.simulation import Comparison, Effects
from loyalty.reports import charts, markdown_pages
from loyalty.reports.formats import NOTHING, change, money, month, signed, signed_money, whole
from loyalty.reports.page import Block, Headline, Page, Section, Table, Text
from loyalty.rules.changes import differences
from loyalty.rules.money import MINOR_DIGITS
from loyalty.rules.periods import display_period, parse_period
from loyalty.rules.programme import Programme

_LIMITS = (
    "One month is simulated, with every member as the month found them. What works over many months (expiry, the time "
    "a tier is held, rewards that come again) shows later than that; so does how members answer to new rules."
)


class Side(TypedDict):
    """The month under one set of rules. Money in minor units; point_value in major units, as text.

    points_cost is what the points earned are worth to the books; asked_vouchers what the upgrades that are held for a
    manager would bring, were all approved.
    """

    point_value: str
    points: int
    points_cost: int
    moves_up: int
    moves_down: int
    reviews: int
    at_risk: int
    vouchers: int
    voucher_amount: int
    asked_vouchers: int
    gifts: int


class Figures(TypedDict):
    """All that the page shows of a proposal, but who asked, why, and what became of it."""

    programme: str
    currency: str
    simulated: str
    note: str | None
    until: str | None
    changes: list[list[str | None]]
    before: Side
    after: Side
    tiers: list[dict[str, Any]]
    members: list[dict[str, Any]]


def artifact_key(period: date) -> str:
    """The key under which the page stands in Prefect: rules-2026-12. Each proposal for the month is a version of it."""
    return f"rules-{display_period(period)}"


def figures(wanted: Draft, compared: Comparison) -> Figures:
    """The figures of a proposal."""
    return {
        "programme": wanted.before.name,
        "currency": wanted.before.currency,
        "simulated": display_period(compared.before.period),
        "note": compared.before.note,
        "until": display_period(wanted.until_period) if wanted.until_period else None,
        "changes": [list(one) for one in differences(wanted.before, wanted.after)],
        "before": _side(wanted.before, compared.before),
        "after": _side(wanted.after, compared.after),
        "tiers": [asdict(tier) for tier in compared.tiers],
        "members": [asdict(member) for member in compared.members],
    }


def page(connection: Connection, approval_no: int) -> str:
    """The page of the change that an approval is about, as Markdown. Raises Refused if it is about none."""
    return markdown(of_approval(connection, approval_no))


def markdown(proposal: Proposal) -> str:
    """The page of a proposal as Markdown, its charts as images within."""
    told: Figures = proposal.figures
    why = f"{proposal.asked_by} asks" + (f": {proposal.note}" if proposal.note else ".")
    whole_page = Page(
        title="Change of the rules",
        programme=told["programme"],
        period=f"from {month(proposal.from_period)}",
        basis=f"{month(parse_period(told['simulated']))}, simulated under version {proposal.base_version} and changed",
        headlines=_headlines(told),
        sections=(
            Section("What changes", (Text(why), Text(_standing(proposal)), *_what_changes(told))),
            Section("Who wins, who loses", _members(told)),
            Section("What it costs", (_costs(told), Text(_LIMITS))),
        ),
    )
    return markdown_pages.markdown(whole_page)


def balance(told: Figures) -> str:
    """Who wins and who loses, in a few words: "120 members better off, 14 worse"."""
    better, worse, both = _sums(told)
    mixed = f", {whole(both)} some of each" if both else ""
    return f"{whole(better)} {'member' if better == 1 else 'members'} better off, {whole(worse)} worse{mixed}"


def _side(rules: Programme, effects: Effects) -> Side:
    cost = (effects.points * rules.point_value).scaleb(MINOR_DIGITS[rules.currency])
    return {
        "point_value": f"{rules.point_value:f}",
        "points": effects.points,
        "points_cost": round(Decimal(cost)),
        "moves_up": effects.moves_up,
        "moves_down": effects.moves_down,
        "reviews": effects.reviews,
        "at_risk": effects.at_risk,
        "vouchers": effects.vouchers,
        "voucher_amount": effects.voucher_amount,
        "asked_vouchers": effects.asked_voucher_amount,
        "gifts": effects.gifts,
    }


def _sums(told: Figures) -> tuple[int, int, int]:
    better, worse, both = (sum(tier[key] for tier in told["tiers"]) for key in ("better", "worse", "both_ways"))
    return better, worse, both


def _cost(side: Side) -> int:
    return side["points_cost"] + side["voucher_amount"] + side["asked_vouchers"]


def _headlines(told: Figures) -> tuple[Headline, ...]:
    of_all = f"of {whole(sum(tier['members'] for tier in told['tiers']))} members"
    better, worse, both = _sums(told)
    before, after = told["before"], told["after"]
    cost = signed_money(_cost(after) - _cost(before), told["currency"])
    return (
        Headline("Better off", whole(better), of_all),
        Headline("Worse off", whole(worse), f"{whole(both)} more win some, lose some" if both else of_all),
        Headline("Points", signed(after["points"] - before["points"]), change(before["points"], after["points"])),
        Headline("Cost of the month", cost, change(_cost(before), _cost(after))),
    )


def _standing(proposal: Proposal) -> str:
    if proposal.version is not None:
        return f"It is applied: rules version {proposal.version}."
    state = "waited for a decision" if proposal.state == "open" else f"was {proposal.state}"
    told = f" ({proposal.told})" if proposal.told else ""
    asked = f"When this page was made, approval {proposal.approval_no} {state}{told}"
    return f"{asked}. Nothing changes unless it is approved."


def _what_changes(told: Figures) -> tuple[Block, ...]:
    rows = tuple((key or NOTHING, old or NOTHING, new or NOTHING) for key, old, new in told["changes"])
    blocks: list[Block] = [Table("The keys of the rules that change", ("Key", "As it is", "As it would be"), rows)]
    if told["until"]:
        until = month(parse_period(told["until"]))
        blocks.append(Text(f"Rules that are applied already begin with {until}: the change ends there.", warning=True))
    if told["note"]:
        blocks.append(Text(f"{told['note']}.", warning=True))
    return tuple(blocks)


def _members(told: Figures) -> tuple[Block, ...]:
    tiers = told["tiers"]
    legend = (("a", "better off"), ("c", "some of each"), ("b", "worse off"))
    bars = [
        charts.Bar(
            tier["tier"],
            ((tier["better"], "a"), (tier["both_ways"], "c"), (tier["worse"], "b")),
            f"+{whole(tier['better'])} \N{MINUS SIGN}{whole(tier['worse'])}",
        )
        for tier in tiers
    ]
    rows = tuple(
        (
            tier["tier"],
            *(whole(tier[key]) for key in ("members", "better", "worse", "both_ways")),
            whole(tier["points_before"]),
            whole(tier["points_after"]),
            signed(tier["points_after"] - tier["points_before"]),
        )
        for tier in tiers
    )
    heads = ("Tier held", "Members", "Better", "Worse", "Some of each", "Points as is", "Points would be", "Difference")
    return (
        charts.bars("Members better and worse off, by the tier held", bars, legend),
        Table("Better or worse: in points, tier reached or asked for, voucher or gift", heads, rows),
        *(_extremes(told, worse=worse) for worse in (False, True)),
    )


def _extremes(told: Figures, *, worse: bool) -> Table:
    rows = tuple(
        (
            f"{one['member_no']}",
            f"{one['tier_held']}",
            f"{whole(one['points_before'])} → {whole(one['points_after'])}",
            one["tier_before"]
            if one["tier_before"] == one["tier_after"]
            else f"{one['tier_before']} → {one['tier_after']}",
            signed_money(one["vouchers_after"] - one["vouchers_before"], told["currency"]),
        )
        for one in told["members"]
        if one["worse"] is worse
    )
    caption = "Members who lose most" if worse else "Members who gain most"
    return Table(caption, ("Member", "Tier held", "Points", "Tier reached", "Vouchers"), rows)


def _costs(told: Figures) -> Table:
    before, after, currency = told["before"], told["after"], told["currency"]

    def counted(name: str, key: str) -> tuple[str, ...]:
        old, new = before[key], after[key]  # type: ignore[literal-required]
        return name, whole(old), whole(new), signed(new - old)

    def paid(name: str, old: int, new: int) -> tuple[str, ...]:
        return name, money(old, currency), money(new, currency), signed_money(new - old, currency)

    rows = (
        counted("Points earned", "points"),
        counted("Moves up", "moves_up"),
        counted("Upgrades held for a manager", "reviews"),
        counted("Moves down", "moves_down"),
        counted("Members warned of losing their tier", "at_risk"),
        counted("Vouchers", "vouchers"),
        counted("Gifts", "gifts"),
        paid("Points, at their value", before["points_cost"], after["points_cost"]),
        paid("Vouchers", before["voucher_amount"], after["voucher_amount"]),
        paid("Vouchers of the upgrades held", before["asked_vouchers"], after["asked_vouchers"]),
        paid("Cost in all, gifts apart", _cost(before), _cost(after)),
    )
    return Table("The month under both", ("Figure", "As it is", "As it would be", "Difference"), rows, total=True)

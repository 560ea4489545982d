"""What a recompute of closed months comes to, as Markdown for a Prefect artifact and for those who decide on it."""

from datetime import date

from sqlalchemy import Connection

from loyalty.db.approvals import read
from loyalty.db.recompute import Difference, MemberDifference, of_approval
from loyalty.db.rules_versions import in_force
from loyalty.reports import charts, markdown_pages
from loyalty.reports.formats import month, signed, whole
from loyalty.reports.page import Block, Headline, Page, Section, Table, Text
from loyalty.rules.periods import display_period

MOST_MEMBERS = 50
_MEANING = (
    "Every month is computed again as if each transaction, late or corrected, had been known in the month in which it "
    "happened. A difference is what the month's transactions would have earned less what they did earn, wherever they "
    "are booked, and less what earlier recomputes posted of the month. Tiers are shown for information: none changes."
)


def artifact_key(first: date, last: date) -> str:
    """The key under which the page stands in Prefect: recompute-2026-01-2026-03."""
    return f"recompute-{display_period(first)}-{display_period(last)}"


def page(connection: Connection, approval_no: int) -> str:
    """The page of the recompute that an approval is about, as Markdown. Raises Refused if it is about none."""
    return markdown(connection, of_approval(connection, approval_no, most=MOST_MEMBERS))


def markdown(connection: Connection, found: Difference) -> str:
    """The page of a difference, as Markdown."""
    _, rules = in_force(connection, found.last)
    whole_page = Page(
        title="Recompute",
        programme=rules.name,
        period=f"{month(found.first)} to {month(found.last)}" if found.first != found.last else month(found.first),
        basis="Closed months as they would be, had every transaction been known in its month",
        headlines=_headlines(found),
        sections=(
            Section("What would be posted", (Text(_standing(connection, found)), *_months(found), Text(_MEANING))),
            Section("Members", (_members(found),)),
        ),
    )
    return markdown_pages.markdown(whole_page)


def _headlines(found: Difference) -> tuple[Headline, ...]:
    credited, debited = (sum(getattr(one, name) for one in found.months) for name in ("credited", "debited"))
    return (
        Headline("Points to credit", signed(credited), "in the earliest open month"),
        Headline("Points to debit", signed(-debited), "in the earliest open month"),
        Headline("Member months", whole(sum(one.members for one in found.months)), "with other points"),
        Headline("Other tiers", whole(sum(one.tiers for one in found.months)), "at a month's end; none changes"),
    )


def _standing(connection: Connection, found: Difference) -> str:
    if found.approval_no is None:
        return "Nothing is to be posted: every point is where it would be."
    approval = read(connection, found.approval_no)
    if approval.state == "open":
        return f"Approval {found.approval_no}, asked by {approval.asked_by}, waits. Only an approved one is posted."
    return f"Approval {found.approval_no}, asked by {approval.asked_by}, was {approval.state}: {approval.told}."


def _months(found: Difference) -> tuple[Block, ...]:
    rows = tuple(
        (
            display_period(one.period),
            whole(one.considered),
            whole(one.members),
            signed(one.credited),
            signed(-one.debited),
            whole(one.tiers),
        )
        for one in found.months
    )
    bars = [
        charts.Bar(
            display_period(one.period),
            ((one.credited, "a"), (one.debited, "b")),
            f"{signed(one.credited)} {signed(-one.debited)}",
        )
        for one in found.months
        if one.members
    ]
    heads = ("Month", "Members with such rows", "With other points", "To credit", "To debit", "In another tier")
    chart = charts.bars("Points that differ, by month", bars, (("a", "to credit"), ("b", "to debit")))
    return (*((chart,) if bars else ()), Table("The months", heads, rows))


def _members(found: Difference) -> Table:
    rows = tuple(
        (
            str(one.member_no),
            display_period(one.period),
            whole(one.points_due),
            whole(one.points_had),
            whole(one.points_before),
            signed(one.points),
            _tiers(one),
        )
        for one in found.members
    )
    heads = ("Member", "Month", "Would have earned", "Did earn", "Posted before", "Difference", "Tier at its end")
    return Table(f"By member and month: at most {MOST_MEMBERS}, those with most points first", heads, rows)


def _tiers(one: MemberDifference) -> str:
    return one.tier_had if one.tier_had == one.tier_due else f"{one.tier_had}, would be {one.tier_due}"

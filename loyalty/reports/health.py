"""The monthly health report as a reader sees it; health_numbers.py says what is in it."""

from collections.abc import Mapping
from decimal import Decimal

from loyalty.reports import charts, markdown_pages
from loyalty.reports.formats import (
    MINUS,
    NOTHING,
    axis_months,
    money,
    month,
    percent,
    point_value,
    short_month,
    signed,
    whole,
)
from loyalty.reports.health_numbers import MESSAGE_STATES, REVIEW_STATES, Health, Points, numbers, rolled_forward
from loyalty.reports.page import Headline, Page, Section, Table, Text, basis
from loyalty.rules.periods import parse_period

__all__ = ["Health", "markdown", "numbers", "page"]

MESSAGES = {
    "points_credited": "Points credited (SMS)",
    "tier_upgrade": "Tier upgrade (e-mail)",
    "tier_at_risk": "Tier at risk (e-mail)",
    "tier_changed_down": "Tier changed down (e-mail)",
}
GIVEN = {
    "adjust": "By hand",
    "registration": "Registration",
    "profile": "Profile completed",
    "referral": "Referrals",
    "share": "Shares",
    "check_in": "Check-ins",
    "birthday": "Birthdays",
    "anniversary": "Anniversaries",
    "visits": "Visits",
    "campaign": "Campaigns",
    "bonus": "Other",
}
GIFT_STATES = ("open", "picked", "shipped", "delivered", "cancelled")


def markdown(report: Health) -> str:
    """The report as Markdown, its charts as images within."""
    return markdown_pages.markdown(page(report))


def page(report: Health) -> Page:
    """The report as headlines and sections."""
    return Page(
        title="Programme health",
        programme=report["programme"]["name"],
        period=month(parse_period(report["period"])),
        basis=basis(report["programme"]),
        headlines=_headlines(report),
        sections=(
            _roll_forward(report),
            *_given(report),
            _months(report),
            _migration(report),
            _tiers(report),
            _reviews(report),
            _rewards(report),
            _messages(report),
        ),
    )


def _headlines(report: Health) -> tuple[Headline, ...]:
    moves, members, points = report["moves"], report["members"], report["points"]
    approvals = report["approvals"]
    waiting = f"{whole(approvals['waiting'])} more wait for a manager"
    if approvals["later"]:
        waiting += f", {whole(approvals['later'])} approved since"
    currency = report["programme"]["currency"]
    return (
        Headline("Points distributed", whole(points["earned"]), "earned in the month, net of refunds"),
        Headline("Members moved up", whole(moves["up"]), waiting),
        Headline(
            "Active share",
            percent(members["active"], members["enrolled"]),
            f"{whole(members['active'])} of {whole(members['enrolled'])} members bought or brought back",
        ),
        Headline(
            "Points outstanding", whole(points["outstanding"]), f"worth {money(points['value'], currency)} to the books"
        ),
    )


def _roll_forward(report: Health) -> Section:
    points = report["points"]
    steps = [
        charts.Step("Opening", points["opening"], whole(points["opening"]), level=True),
        *(charts.Step(label, value, signed(value)) for label, value in _changes(points)),
        charts.Step("Closing", points["closing"], whole(points["closing"]), level=True),
    ]
    rules = report["programme"]
    rows = (
        ("Opening balance", whole(points["opening"])),
        *((label, signed(value)) for label, value in _changes(points)),
        ("Closing balance", whole(points["closing"])),
    )
    held = (
        ("Points that members can spend", whole(points["outstanding"]), money(points["value"], rules["currency"])),
        ("Points that members owe", whole(points["owed"]), NOTHING),
    )
    each = point_value(Decimal(rules["point_value"]), rules["currency"])
    return Section(
        "Points, rolled forward",
        (
            charts.waterfall("Points from opening to closing balance", steps),
            Table("Roll-forward of points", ("", "Points"), rows, total=True),
            _proof(points),
            Table(f"Points outstanding and their value, at {each} a point", ("", "Points", "Liability"), held),
        ),
    )


def _changes(points: Points) -> tuple[tuple[str, int], ...]:
    return (
        ("Earned", points["earned"]),
        ("Redeemed", -points["redeemed"]),
        ("Expired", -points["expired"]),
        ("Adjusted", points["adjusted"]),
    )


def _proof(points: Points) -> Text:
    """Whether the figures add up, said either way."""
    missing = points["closing"] - rolled_forward(points)
    if missing:
        return Text(f"The roll-forward does not add up: {signed(missing)} points. Run `loyalty verify`.", warning=True)
    if points["carried"] is False:
        return Text("The opening is not the closing of the month before. Run `loyalty verify`.", warning=True)
    carried = ", and the opening is the closing of the month before" if points["carried"] else ""
    return Text(f"✓ Opening + earned {MINUS} redeemed {MINUS} expired + adjusted = closing{carried}.")


def _given(report: Health) -> tuple[Section, ...]:
    """What was given for more than purchases; no section where nothing was, or where the report is older than that."""
    given = report.get("given", [])
    if not given:
        return ()
    rows = tuple(
        (
            GIVEN[each["kind"]],
            whole(each["members"]),
            whole(each["times"]),
            signed(each["given"]),
            signed(-each["taken"]),
        )
        for each in given
    )
    sums = [sum(each[column] for each in given) for column in ("times", "given", "taken")]
    total = ("All", "", whole(sums[0]), signed(sums[1]), signed(-sums[2]))
    about = "They are part of what the roll-forward calls adjusted."
    return (
        Section(
            "Points for more than purchases",
            (
                Text(about),
                Table(
                    "Points given and taken, by what for",
                    ("", "Members", "Times", "Given", "Taken"),
                    (*rows, total),
                    total=True,
                ),
            ),
        ),
    )


def _months(report: Health) -> Section:
    trend = report["trend"]
    labels = axis_months([parse_period(one["period"]) for one in trend])
    rows = tuple(
        (short_month(parse_period(one["period"])), whole(one["points"]), whole(one["active"]), whole(one["moved_up"]))
        for one in trend
    )
    return Section(
        "The last twelve months",
        (
            charts.columns("Points distributed", labels, [one["points"] for one in trend], whole),
            charts.columns("Active members", labels, [one["active"] for one in trend], whole),
            Table("Points distributed and members by month", ("Month", "Points", "Active", "Moved up"), rows),
        ),
    )


def _migration(report: Health) -> Section:
    moves = report["moves"]
    up = ", ".join(f"{whole(count)} to {tier}" for tier, count in moves["up_to"].items())
    told = f"{whole(moves['up'])} members moved up{f' ({up})' if up else ''}, {whole(moves['down'])} moved down."
    rows = tuple(
        (tier, *(whole(count) for count in line), whole(sum(line)))
        for tier, line in zip(moves["tiers"], moves["matrix"], strict=True)
    )
    sums = [sum(line[column] for line in moves["matrix"]) for column in range(len(moves["tiers"]))]
    return Section(
        "Tier migration",
        (
            Text(told),
            charts.matrix("Members by tier before and after", moves["tiers"], moves["matrix"], whole),
            Table(
                "Members with a statement: rows are the tier as the month opened, columns as its close left it",
                ("Before ↓ after →", *moves["tiers"], "All"),
                (*rows, ("All", *(whole(one) for one in sums), whole(sum(sums)))),
                total=True,
            ),
        ),
    )


def _tiers(report: Health) -> Section:
    held = report["members_by_tier"]
    enrolled = report["members"]["enrolled"]
    rows = tuple((tier, whole(count), percent(count, enrolled)) for tier, count in held.items())
    bars = [charts.Bar(tier, ((count, "a"),), whole(count)) for tier, count in held.items()]
    return Section(
        "Members by tier",
        (
            charts.bars("Members by the tier they hold", bars),
            Table(
                "All members enrolled, by the tier they held when this report was made",
                ("Tier", "Members", "Share"),
                (*rows, ("All", whole(enrolled), percent(enrolled, enrolled))),
                total=True,
            ),
        ),
    )


def _reviews(report: Health) -> Section:
    approvals = report["approvals"]
    told = f"{whole(approvals['waiting_in_all'])} upgrades wait for a manager in all."
    if approvals["later"]:
        told += f" {whole(approvals['later'])} of this month's took effect after its end and count in that later month."
    return Section(
        "Upgrades held for review",
        (Text(told), _states("Asked by this close, by tier", "Tier", report["reviews"], REVIEW_STATES)),
    )


def _rewards(report: Health) -> Section:
    currency = report["programme"]["currency"]
    vouchers = report["vouchers"]
    rows = tuple((one["tier"], whole(one["vouchers"]), money(one["amount"], currency)) for one in vouchers)
    count, amount = sum(one["vouchers"] for one in vouchers), sum(one["amount"] for one in vouchers)
    return Section(
        "Vouchers and gifts",
        (
            Table(
                "Vouchers issued for this month's moves",
                ("Tier reached", "Vouchers", "Amount"),
                (*rows, ("All", whole(count), money(amount, currency))),
                total=True,
            ),
            _states("Gifts for this month's moves", "Gift", report["gifts"], GIFT_STATES),
        ),
    )


def _messages(report: Health) -> Section:
    shown = {label: report["messages"].get(kind, {}) for kind, label in MESSAGES.items()}
    told = _states("Messages of this month's close", "Message", shown, MESSAGE_STATES)
    not_sent = report.get("not_sent", {})  # reports made earlier have none
    rows = tuple((reason, whole(count)) for reason, count in not_sent.items())
    given_up = Table(
        "Messages given up in this month, of whatever month and kind",
        ("Reason", "Messages"),
        (*rows, ("All", whole(sum(not_sent.values())))),
        total=True,
    )
    return Section("Messages", (told, given_up) if rows else (told,))


def _states(caption: str, what: str, counts: Mapping[str, Mapping[str, int]], states: tuple[str, ...]) -> Table:
    """A table of counts by state."""
    rows = tuple((name, *(whole(by_state.get(state, 0)) for state in states)) for name, by_state in counts.items())
    return Table(caption, (what, *(state.capitalize() for state in states)), rows)

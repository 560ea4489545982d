"""A campaign's pages: what it would bring, for those who decide on it, and what it brought, against those held out."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from loyalty.db import campaigns
from loyalty.db.campaigns import Arm, Known, Results, Simulated
from loyalty.db.statements import run
from loyalty.reports import charts, markdown_pages
from loyalty.reports.formats import NOTHING, money, percent, signed_money, whole
from loyalty.reports.html import html_pages
from loyalty.reports.intervals import LEAST_MEMBERS, Interval, difference, mean, smallest_effect
from loyalty.reports.page import Block, Headline, Page, Section, Table, Text
from loyalty.rules.campaign import Campaign, to_toml

_METHOD = (
    "Who is held out was drawn by chance among the members of the campaign and got nothing of it, so what the others "
    "spent more on average is the campaign's doing, but for chance. The interval is Welch's, of 95 %: of twenty such "
    "intervals nineteen hold the true effect. Spend is eligible money of purchases in the campaign's time, less what "
    "came back of them; members who bought nothing count with nothing."
)
_SIMULATED = (
    "Purchases of the time before, on the same days of the week, as if the campaign had run then: how members answer "
    "to it is not in them. Its members are those of the day on which it was asked for."
)


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page of a campaign's outcome shows: spend up to `until`, and of as long a time before it began."""

    known: Known
    programme: str
    currency: str
    minor_digits: int
    point_value: Decimal
    zone: str
    until: datetime
    over: bool
    results: Results
    treated: Arm
    held_out: Arm
    treated_before: Arm
    held_out_before: Arm

    @property
    def points(self) -> int:
        """The points given, less what was taken back."""
        return self.results.points - self.results.taken_back

    @property
    def cost(self) -> int:
        """What it has cost: points at their value, and vouchers that were used; minor units."""
        return _worth(self.points, self.point_value, self.minor_digits) + self.results.redeemed_amount

    @property
    def effect(self) -> Interval | None:
        """How much more a member in it spent, in minor units; None where that can't be told."""
        return difference(self.treated, self.held_out)


def artifact_key(name: str) -> str:
    """The key under which the outcome stands in Prefect: campaign-winter-double. Each day it is a new version."""
    return f"campaign-{name}"


def proposal_key(name: str) -> str:
    """The key of what a campaign would bring: campaign-winter-double-simulated."""
    return f"campaign-{name}-simulated"


def report(connection: Connection, name: str, now: datetime) -> Report:
    """The figures of a campaign's outcome as of now. Raises Refused if there is none of that name that has begun."""
    known = campaigns.find(connection, name)
    if known.begins_at is None or known.begins_at >= now:
        raise campaigns.not_begun(known)
    programme = run(connection, "segments/programme_at", at=now).one()
    until = min(known.until, now)
    treated, held_out = campaigns.arms(connection, known.campaign_no, known.begins_at, until)
    earlier = known.begins_at - (until - known.begins_at)
    treated_before, held_out_before = campaigns.arms(connection, known.campaign_no, earlier, known.begins_at)
    return Report(
        known=known,
        programme=programme.name,
        currency=programme.currency,
        minor_digits=programme.minor_digits,
        point_value=programme.point_value,
        zone=programme.time_zone,
        until=until,
        over=known.until <= now,
        results=campaigns.results(connection, known.campaign_no),
        treated=treated,
        held_out=held_out,
        treated_before=treated_before,
        held_out_before=held_out_before,
    )


def outcome(found: Report) -> Page:
    """The page of a campaign's outcome."""
    state = "over" if found.over else "still running"
    return Page(
        title=f"Campaign {found.known.name}",
        programme=found.programme,
        period=_days(found.known.begins_at, found.until, found.zone),
        basis=f"Asked for by {found.known.asked_by}, approved by {found.known.decided_by or NOTHING}; {state}",
        headlines=_headlines(found),
        sections=(
            Section("What it brought", _effect_blocks(found)),
            Section("What it cost", (_costs(found), Text(_budget(found)))),
            Section("Whom it reached", (_reach(found),)),
            Section("What it was", (_keys(found.known.campaign),)),
        ),
        source="the purchases and refunds known by then, and what the campaign gave for them",
    )


def markdown(found: Report) -> str:
    """The outcome as Markdown."""
    return markdown_pages.markdown(outcome(found))


def html(found: Report) -> str:
    """The outcome as one HTML file that needs nothing else."""
    return html_pages(outcome(found))


def told(found: Report) -> str:
    """The outcome in a line: what a member spent more, with its interval, and what it cost."""
    effect = found.effect
    cost = f"it cost {money(found.cost, found.currency)}"
    if effect is None:
        return f"{found.known.name}: {_too_small(found)}; {cost}"
    return f"{found.known.name}: {_interval(effect, found.currency)} a member against those held out; {cost}"


def figures(connection: Connection, wanted: Campaign, simulated: Simulated, now: datetime) -> dict[str, Any]:
    """What a simulated campaign would bring, as it is stored with the request: JSON values, money in minor units."""
    programme = run(connection, "segments/programme_at", at=now).one()
    results = asdict(simulated.results)
    points = _worth(simulated.results.points, programme.point_value, programme.minor_digits)
    return {
        "programme": programme.name,
        "currency": programme.currency,
        "first_day": f"{simulated.first_day}",
        "stop_day": f"{simulated.stop_day}",
        "results": results,
        "treated": asdict(simulated.treated),
        "held_out": asdict(simulated.held_out),
        "budget": _minor_budget(wanted, programme.minor_digits),
        "cost": points + simulated.results.voucher_amount,
        "most": _most(wanted, programme),
    }


def page(connection: Connection, approval_no: int) -> str:
    """The page of the campaign that an approval is about, as Markdown. Raises Refused if it is about none."""
    known = campaigns.of_approval(connection, approval_no)
    why = f"{known.asked_by} asks" + (f": {known.note}" if known.note else ".")
    state = "waited for a decision" if known.state == "open" else f"was {known.state}"
    lines = (Text(why), Text(f"When this page was made, approval {approval_no} {state}. It gives nothing before."))
    return markdown_pages.markdown(proposal(known.campaign, known.figures, lines))


def proposal(wanted: Campaign, found: dict[str, Any], lines: tuple[Block, ...] = ()) -> Page:
    """The page of what a campaign would bring, by its simulated figures; `lines` go before it."""
    given, currency = Results(**found["results"]), found["currency"]
    smallest = smallest_effect(Arm(**found["treated"]), Arm(**found["held_out"]))
    gives_vouchers = wanted.gives == "voucher"
    used = given.voucher_amount if gives_vouchers else given.points
    return Page(
        title=f"Campaign {wanted.name}, simulated",
        programme=found["programme"],
        period=f"{wanted.starts_on} to {wanted.ends_on}",
        basis=f"As if it had run from {found['first_day']} to just before {found['stop_day']}. Nothing was changed",
        headlines=(
            Headline("Members", whole(given.members), f"{whole(given.held_out)} of them held out"),
            Headline(
                "Vouchers" if gives_vouchers else "Points",
                whole(given.vouchers if gives_vouchers else given.points),
                f"{percent(used, found['budget'])} of the budget",
            ),
            Headline("Cost", money(found["cost"], currency), f"at most {money(found['most'], currency)}"),
            Headline(
                "Smallest effect it can show",
                NOTHING if smallest is None else money(round(smallest), currency),
                "more spend per member" if smallest is not None else f"fewer than {LEAST_MEMBERS} held out: none",
            ),
        ),
        sections=(
            *((Section("What is asked", lines),) if lines else ()),
            Section("What it is", (_keys(wanted),)),
            Section("What it would have given", (Text(_SIMULATED), *_simulated_blocks(wanted, given, found))),
        ),
    )


def proposal_markdown(wanted: Campaign, found: dict[str, Any]) -> str:
    """What a campaign would bring, as Markdown."""
    return markdown_pages.markdown(proposal(wanted, found))


def _simulated_blocks(wanted: Campaign, given: Results, found: dict[str, Any]) -> tuple[Block, ...]:
    treated, currency = Arm(**found["treated"]), found["currency"]
    rows = [
        ("Members who would get something", whole(given.reached)),
        ("Members who bought in that time", whole(treated.buyers)),
        ("Their average spend", money(round(mean(treated)), currency)),
    ]
    if wanted.gives != "voucher":
        rows += [
            ("Purchases rewarded", whole(given.purchases)),
            ("Members rewarded", whole(given.awarded_members)),
            ("Points", whole(given.points)),
        ]
    else:
        rows += [("Vouchers", whole(given.vouchers)), ("Their worth", money(given.voucher_amount, currency))]
    return (Table("Figures of that time", ("Figure", ""), tuple(rows)),)


def _headlines(found: Report) -> tuple[Headline, ...]:
    effect, currency = found.effect, found.currency
    more = Headline("More spend per member", NOTHING, _too_small(found))
    if effect is not None:
        note = "95 % interval: " + _bounds(effect, currency)
        more = Headline("More spend per member", signed_money(round(effect.difference), currency), note)
    rewarded = found.results.awarded_members or found.results.vouchers
    return (
        more,
        Headline("Cost", money(found.cost, currency), "points at their value, vouchers used"),
        Headline(
            "Members",
            whole(found.results.reached),
            f"{whole(rewarded)} rewarded; {whole(found.results.held_out)} more held out",
        ),
    )


def _effect_blocks(found: Report) -> tuple[Block, ...]:
    effect, currency = found.effect, found.currency
    arms = (
        ("In the campaign", found.treated, found.treated_before),
        ("Held out", found.held_out, found.held_out_before),
    )
    rows = tuple(
        (
            name,
            whole(during.members),
            percent(during.buyers, during.members),
            money(round(mean(before)), currency),
            money(round(mean(during)), currency),
        )
        for name, during, before in arms
    )
    heads = ("Members", "Number", "Bought", "Spend before", "Spend during")
    bars = [
        charts.Bar(label, ((round(mean(arm)), style),), money(round(mean(arm)), currency))
        for label, arm, style in (
            ("Before", found.treated_before, "a"),
            ("", found.held_out_before, "n"),
            ("During", found.treated, "a"),
            ("", found.held_out, "n"),
        )
    ]
    return (
        Text(_verdict(found, effect), warning=effect is None or not effect.sure),
        charts.bars("Average spend of a member", bars, (("a", "in the campaign"), ("n", "held out"))),
        Table("Average spend of a member, in the campaign's time and as long a time before", heads, rows),
        Text(_METHOD),
    )


def _verdict(found: Report, effect: Interval | None) -> str:
    if effect is None:
        return f"{_too_small(found)}: what the campaign brought can't be told."
    currency, members = found.currency, found.results.reached
    text = (
        f"Between a member in the campaign and one held out the difference in spend is {_interval(effect, currency)}."
    )
    if not effect.sure:
        return f"{text} Zero lies within: with so many members this can't be told from no effect."
    total = money(round(effect.difference * members), currency)
    bounds = " to ".join(money(round(bound * members), currency) for bound in (effect.low, effect.high))
    return (
        f"{text} Over {whole(members)} members that is {total} ({bounds}), for a cost of {money(found.cost, currency)}."
    )


def _too_small(found: Report) -> str:
    if not found.held_out.members:
        return "Nobody was held out"
    return f"The sample is too small: {whole(found.held_out.members)} held out, {whole(found.treated.members)} in it"


def _interval(effect: Interval, currency: str) -> str:
    return f"{signed_money(round(effect.difference), currency)} ({_bounds(effect, currency)})"


def _bounds(effect: Interval, currency: str) -> str:
    return f"{signed_money(round(effect.low), currency)} to {signed_money(round(effect.high), currency)}"


def _costs(found: Report) -> Table:
    given, currency = found.results, found.currency
    if found.known.gives == "voucher":
        vouchers = (
            ("Vouchers issued", whole(given.vouchers), money(given.voucher_amount, currency)),
            ("Vouchers used: the cost", whole(given.redeemed), money(given.redeemed_amount, currency)),
        )
        return Table("Vouchers and their worth", ("Figure", "Number", "Money"), vouchers, total=True)

    def line(name: str, points: int) -> tuple[str, str, str]:
        return name, whole(points), money(_worth(points, found.point_value, found.minor_digits), currency)

    rows = (
        line("Points given", given.points),
        line("Taken back for refunds", given.taken_back),
        line("Points left: the cost", found.points),
    )
    return Table("Points, and what they are worth to the books", ("Figure", "Points", "Worth"), rows, total=True)


def _budget(found: Report) -> str:
    known = found.known
    used = f"{percent(known.spent, known.budget)} of its budget of"
    if known.gives == "voucher":
        return f"{used} {money(known.budget, found.currency)} is used."
    return f"{used} {whole(known.budget)} points is used; what refunds took back is not given again."


def _reach(found: Report) -> Table:
    given = found.results
    rows = [
        ("Members drawn", whole(given.members), ""),
        ("Held out", whole(given.held_out), percent(given.held_out, given.members)),
        ("In the campaign", whole(given.reached), percent(given.reached, given.members)),
    ]
    if found.known.gives == "voucher":
        rows.append(("Got a voucher", whole(given.vouchers), percent(given.vouchers, given.reached)))
    else:
        rows.append(("Got points", whole(given.awarded_members), percent(given.awarded_members, given.reached)))
        rows.append(("Purchases rewarded", whole(given.purchases), ""))
    return Table("Members", ("Figure", "Number", "Share"), tuple(rows))


def _keys(wanted: Campaign) -> Table:
    rows = tuple(
        (key, value.strip('"')) for key, _, value in (line.partition(" = ") for line in to_toml(wanted).splitlines())
    )
    return Table("Its keys, as its file has them", ("Key", "Value"), rows)


def _days(first: datetime | None, until: datetime, zone: str) -> str:
    local = ZoneInfo(zone)
    start = "" if first is None else f"{first.astimezone(local):%Y-%m-%d}"
    last = until - timedelta(microseconds=1)
    return f"{start} to {last.astimezone(local):%Y-%m-%d}"


def _worth(points: int, value: Decimal, digits: int) -> int:
    return round(Decimal(points * value).scaleb(digits))


def _minor_budget(wanted: Campaign, digits: int) -> int:
    return int(wanted.budget.scaleb(digits)) if wanted.gives == "voucher" else int(wanted.budget)


def _most(wanted: Campaign, programme: Any) -> int:
    """What the whole budget costs, in minor units."""
    budget = _minor_budget(wanted, programme.minor_digits)
    return budget if wanted.gives == "voucher" else _worth(budget, programme.point_value, programme.minor_digits)

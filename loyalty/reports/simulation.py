"""What a simulated month would bring, as Markdown for a Prefect artifact."""

from collections.abc import Iterator
from datetime import date

from loyalty.db.simulation import Effects
from loyalty.reports import charts, markdown_pages
from loyalty.reports.formats import NOTHING, money, month, signed, signed_money, whole
from loyalty.reports.page import Block, Headline, Page, Section, Table, Text
from loyalty.rules.periods import display_period

Line = tuple[str, str, str, str]


def artifact_key(period: date) -> str:
    """The key under which the page stands in Prefect: simulation-2017-12."""
    return f"simulation-{display_period(period)}"


def markdown(effects: Effects) -> str:
    """The page as Markdown, its chart as an image within."""
    return markdown_pages.markdown(page(effects))


def page(effects: Effects) -> Page:
    """The page. A closed month's real figures stand beside the simulated ones, with the difference."""
    rules = "candidate rules" if effects.candidate else f"the rules in force (version {effects.version})"
    closed = effects.stated_points is not None
    heads = ("Figure", "Simulated", *(("As closed", "Difference") if closed else ()))
    rows = tuple(line if closed else line[:2] for line in _lines(effects))
    blocks: tuple[Block, ...] = (
        *((Text(f"{effects.note}.", warning=True),) if effects.note else ()),
        _members(effects),
        Table("Figures of the month; upgrades that need a manager count as held", heads, rows),
    )
    return Page(
        title="Simulation",
        programme=effects.programme,
        period=month(effects.period),
        basis=f"Computed under {rules}. Nothing was changed.",
        headlines=_headlines(effects),
        sections=(Section("What the month would bring", blocks),),
    )


def _headlines(effects: Effects) -> tuple[Headline, ...]:
    def beside(simulated: int, stated: int | None) -> str:
        if stated is None:
            return "open month"
        return "as the close had it" if simulated == stated else f"{signed(simulated - stated)} against the close"

    moves = effects.moves_up + effects.moves_down
    return (
        Headline("Points earned", whole(effects.points), beside(effects.points, effects.stated_points)),
        Headline("Moves", whole(moves), f"{whole(effects.moves_up)} up, {whole(effects.moves_down)} down"),
        Headline("Upgrades held", whole(effects.reviews), "for a manager"),
        Headline(
            "Vouchers", money(effects.voucher_amount, effects.currency), f"{whole(effects.vouchers)} at the close"
        ),
    )


def _members(effects: Effects) -> charts.Chart:
    counts = (
        ("Moved up", effects.moves_up, "a"),
        ("Held for a manager", effects.reviews, "c"),
        ("Warned of losing the tier", effects.at_risk, "n"),
        ("Moved down", effects.moves_down, "b"),
    )
    return charts.bars(
        "Members whose tier is touched", [charts.Bar(name, ((n, style),), whole(n)) for name, n, style in counts]
    )


def _lines(effects: Effects) -> Iterator[Line]:
    def paid(minor: int | None) -> str:
        return money(minor, effects.currency)

    yield line("Members with a transaction", effects.active_members)
    spent, stated = effects.spend, effects.stated_spend
    more = NOTHING if stated is None else signed_money(spent - stated, effects.currency)
    yield "Spend", paid(spent), paid(stated), more
    yield line("Points earned", effects.points, effects.stated_points)
    yield line("Points expired", effects.expired)
    yield line("Moves up", effects.moves_up)
    yield line("Moves down", effects.moves_down)
    moves = effects.moves_up + effects.moves_down
    yield line("Moves in all", moves, effects.stated_moves)
    yield line("Upgrades held for a manager", effects.reviews, effects.stated_reviews)
    yield line("Members warned of losing their tier", effects.at_risk)
    yield line("Vouchers", effects.vouchers)
    yield "Their amount", paid(effects.voucher_amount), NOTHING, NOTHING
    yield "Vouchers of the upgrades held, were all approved", paid(effects.asked_voucher_amount), NOTHING, NOTHING
    yield line("Gifts", effects.gifts)


def line(name: str, simulated: int, stated: int | None = None) -> Line:
    """A row of the table: a count, the one it is compared with, the difference."""
    return name, whole(simulated), whole(stated), NOTHING if stated is None else signed(simulated - stated)

"""What a simulated month would bring, as Markdown for a Prefect artifact."""

from collections.abc import Iterator
from datetime import date

from loyalty.db.simulation import Effects
from loyalty.reports.formats import NOTHING, money, month, signed, whole
from loyalty.rules.periods import display_period

_MINUS = "\N{MINUS SIGN}"


def artifact_key(period: date) -> str:
    """The key under which the page stands in Prefect: simulation-2017-12."""
    return f"simulation-{display_period(period)}"


def markdown(effects: Effects) -> str:
    """The page. A closed month's real figures stand beside the simulated ones, with the difference."""
    rules = "candidate rules" if effects.candidate else f"the rules in force (version {effects.version})"
    closed = effects.stated_points is not None
    heads = ("Figure", "Simulated", *(("As closed", "Difference") if closed else ()))
    return "\n".join(
        (
            f"# Simulation · {month(effects.period)}",
            "",
            f"Computed under {rules}. Nothing was changed.",
            *(("", f"**Mind:** {effects.note}.") if effects.note else ()),
            "",
            f"| {' | '.join(heads)} |",
            f"| :-- | {' | '.join('--:' for _ in heads[1:])} |",
            *(f"| {' | '.join(cells if closed else cells[:2])} |" for cells in _lines(effects)),
            "",
        )
    )


def _lines(effects: Effects) -> Iterator[tuple[str, ...]]:
    def paid(minor: int | None) -> str:
        return money(minor, effects.currency)

    yield _line("Members with a transaction", effects.active_members)
    spent, stated = effects.spend, effects.stated_spend
    more = NOTHING if stated is None else f"{_MINUS if spent < stated else '+'}{paid(abs(spent - stated))}"
    yield "Spend", paid(spent), paid(stated), NOTHING if spent == stated else more
    yield _line("Points earned", effects.points, effects.stated_points)
    yield _line("Points expired", effects.expired)
    yield _line("Moves up", effects.moves_up)
    yield _line("Moves down", effects.moves_down)
    moves = effects.moves_up + effects.moves_down
    yield _line("Moves in all", moves, effects.stated_moves)
    yield _line("Upgrades held for a manager", effects.reviews, effects.stated_reviews)
    yield _line("Members warned of losing their tier", effects.at_risk)
    yield _line("Vouchers", effects.vouchers)
    yield "Their amount", paid(effects.voucher_amount), NOTHING, NOTHING
    yield _line("Gifts", effects.gifts)


def _line(name: str, simulated: int, stated: int | None = None) -> tuple[str, str, str, str]:
    return name, whole(simulated), whole(stated), NOTHING if stated is None else signed(simulated - stated)

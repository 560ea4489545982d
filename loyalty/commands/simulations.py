"""`loyalty close PERIOD --simulate [--rules FILE]`: what a month would bring, with nothing left behind."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from loyalty.commands.terminal import say, say_json, table
from loyalty.db.programme import check_ready
from loyalty.db.simulation import Effects, simulate
from loyalty.rules.money import to_major
from loyalty.rules.periods import parse_period
from loyalty.rules.toml import read


def show(given: Namespace) -> int:
    """Simulate a month, open or closed, under the rules in force or those of a file."""
    rules = read(Path(given.rules)) if given.rules else None
    check_ready()
    effects = simulate(parse_period(given.period), rules)
    if given.json:
        say_json(effects.shown())
    else:
        say(*_page(effects, given.period))
    return 0


def _page(effects: Effects, period: str) -> Iterator[str]:
    rules = "the candidate rules" if effects.candidate else f"rules version {effects.version}, in force"
    yield f"{period} simulated under {rules}; nothing was changed"
    if effects.note:
        yield effects.note
    closed = effects.stated_points is not None
    headers = ("", "simulated", "as closed") if closed else ("", "simulated")
    rows = list(_rows(effects))
    yield from table(headers, rows if closed else [row[:2] for row in rows], right=headers[1:])


def _rows(effects: Effects) -> Iterator[tuple[str, object, object]]:
    def money(minor: int | None) -> str | None:
        return None if minor is None else f"{to_major(minor, effects.currency):,} {effects.currency}"

    yield "active members", effects.active_members, None
    yield "spend", money(effects.spend), money(effects.stated_spend)
    yield "points", effects.points, effects.stated_points
    yield "moves up", effects.moves_up, None
    yield "moves down", effects.moves_down, None
    yield "moves", effects.moves_up + effects.moves_down, effects.stated_moves
    yield "reviews", effects.reviews, effects.stated_reviews
    yield "members at risk of their tier", effects.at_risk, None
    yield "vouchers", effects.vouchers, None
    yield "voucher amount", money(effects.voucher_amount), None
    yield "voucher amount of the upgrades held", money(effects.asked_voucher_amount), None
    yield "gifts", effects.gifts, None
    yield "points expired", effects.expired, None

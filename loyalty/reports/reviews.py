"""The upgrades that wait for a manager, as Markdown for Prefect artifacts: member numbers, never names.

One page lists a period's, another shows a batch of them with what may be doubted about each.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row

from loyalty.db import approvals, reviews
from loyalty.db.approvals import Approval
from loyalty.db.reviews import Upgrade
from loyalty.db.statements import run
from loyalty.reports.formats import money, month, percent, whole
from loyalty.rules.periods import display_period

SHOWN = 200  # rows of the table; `loyalty reviews list` has them all
MUCH_RETURNED, MOST_OF_IT, FEW_MONTHS, GROWN_UP = 0.2, 0.6, 2, 6  # from where on a figure is worth a second look
_HOW = """Points are posted. Tier, voucher, gift and e-mail follow the decision. In the Prefect UI each batch is
a suspended run named *review*, with the tag *approval*: Resume, in its menu, opens the form. In a terminal:

```
loyalty approvals list
loyalty approvals approve 3 --by anna --leave-out 123 --note "most of it came back"
loyalty reviews reject 13 --by anna --note "most of it came back"
```
"""
_HEAD = "| Member | From | To | Qualifying points | Spend | Purchases | Came back | Look twice |"
_RULER = "| --: | :-- | :-- | --: | --: | --: | --: | :-- |"
_LEGEND = (
    "Spend counts what earns points, less what came back in the month; *came back* is the share of the month's",
    "purchases. Facts are read again when the decision is made: who no longer qualifies then does not move.",
)


def artifact_key(period: date) -> str:
    """The key under which the page stands in Prefect: reviews-2017-12."""
    return f"reviews-{display_period(period)}"


def waiting(connection: Connection, period: date) -> str:
    """The page: how many upgrades wait for each tier, how to decide them, and which they are."""
    rows = run(connection, "reads/reviews_of_period", period=period, most=SHOWN).all()
    tiers = {row.to_tier: row.of_tier for row in rows}
    total = sum(tiers.values())
    if not total:
        return f"# No upgrade waits · {month(period)}\n"
    lines = (
        f"# {whole(total)} upgrade{'s wait' if total > 1 else ' waits'} · {month(period)}",
        "",
        *(f"* **{whole(count)}** into {_plain(tier)}" for tier, count in tiers.items()),
        "",
        _HOW,
        "| Review | Member | From | To | Qualifying points | Due |",
        "| --: | --: | :-- | :-- | --: | :-- |",
        *(_row(row) for row in rows),
        *(
            ("", f"… and {whole(total - len(rows))} more: `loyalty reviews list` has them all.")
            if total > len(rows)
            else ()
        ),
        "",
    )
    return "\n".join(lines)


def page(connection: Connection, approval_no: int) -> str:
    """All there is to know about a batch of upgrades before it is decided, or what came of it."""
    approval, batch = approvals.read(connection, approval_no), reviews.batch(connection, approval_no)
    decided = approval.state != "open" or any(upgrade.state != "open" for upgrade in batch)
    doubtful = sum(bool(doubts(upgrade)) for upgrade in batch)
    lines = (
        f"# {_plain(approval.name)}",
        "",
        *(_decision(approval) if approval.state != "open" else _question(approval, len(batch), doubtful)),
        "",
        f"{_HEAD}{' State |' if decided else ''}",
        f"{_RULER}{' :-- |' if decided else ''}",
        *(_upgrade(upgrade, decided=decided) for upgrade in sorted(batch, key=lambda each: not doubts(each))),
        "",
        *_LEGEND,
        "",
    )
    return "\n".join(lines)


def doubts(upgrade: Upgrade) -> list[str]:
    """Reasons to look twice at an upgrade, the gravest first."""
    found = []
    if upgrade.sold and upgrade.returned / upgrade.sold >= MUCH_RETURNED:
        found.append(f"{percent(upgrade.returned, upgrade.sold)} came back")
    if upgrade.purchases > 1 and upgrade.sold and upgrade.largest / upgrade.sold >= MOST_OF_IT:
        found.append(f"{percent(upgrade.largest, upgrade.sold)} in one purchase")
    if upgrade.purchases == 1:
        found.append("a single purchase")
    if upgrade.months_known >= GROWN_UP and upgrade.months_bought <= FEW_MONTHS:
        bought = "this month only" if upgrade.months_bought == 1 else f"{upgrade.months_bought} of 12 months"
        found.append(f"bought in {bought}")
    if upgrade.owed:
        found.append(f"owes {whole(upgrade.owed)} points")
    if upgrade.rejected_in:
        found.append(f"rejected before, for {upgrade.rejected_in}")
    return found


def _question(approval: Approval, members: int, doubtful: int) -> Iterator[str]:
    """What is asked of the manager, and how to answer."""
    look = "Nothing about them stands out."
    if doubtful:
        look = f"**{whole(doubtful)}** may need a second look: the first of the table, with the reason."
    yield f"**{whole(members)}** member{'s' if members != 1 else ''} would move up. {look}"
    yield ""
    yield "Their points are posted; tier, voucher, gift and e-mail follow an approval, at once. To decide, open the run"
    yield "that stands beside this page under *Flow Run*, and choose **Resume** in its menu (⋮). Please do so by"
    yield f"{approval.due_on}: silence approves nobody."


def _decision(approval: Approval) -> Iterator[str]:
    """What came of it."""
    by = "nobody in time" if approval.decided_by == "system" else approval.decided_by or ""
    yield f"**{approval.state.capitalize()}** by {_plain(by)}: {_plain(approval.told or '')}."


def _upgrade(upgrade: Upgrade, *, decided: bool) -> str:
    cells = [
        f"M{upgrade.member_no}",
        _plain(upgrade.from_tier),
        _plain(upgrade.to_tier),
        whole(upgrade.qualifying_points),
        money(upgrade.spend, upgrade.currency),
        whole(upgrade.purchases),
        percent(upgrade.returned, upgrade.sold),
        ", ".join(doubts(upgrade)),
        *([_state(upgrade)] if decided else []),
    ]
    return f"| {' | '.join(cells)} |"


def _state(upgrade: Upgrade) -> str:
    if upgrade.state == "lapsed":
        return f"lapsed: {_plain(upgrade.note or '')}"
    return upgrade.state if upgrade.state == "open" else f"{upgrade.state} by {_plain(upgrade.decided_by or '')}"


def _row(row: Row[Any]) -> str:
    tiers = f"{_plain(row.from_tier)} | {_plain(row.to_tier)}"
    return f"| {row.review_no} | {row.member_no} | {tiers} | {whole(row.qualifying_points)} | {row.due_at:%Y-%m-%d} |"


def _plain(name: str) -> str:
    """A tier's name that can't become markup or another column."""
    return "".join(f"\\{symbol}" if symbol in "\\`*_[]<>|#" else symbol for symbol in name)

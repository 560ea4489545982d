"""The upgrades of a period that wait for a manager, as Markdown for a Prefect artifact: member numbers, never names."""

from datetime import date
from typing import Any

from sqlalchemy import Connection, Row

from loyalty.db.statements import run
from loyalty.reports.formats import month, whole
from loyalty.rules.periods import display_period

SHOWN = 200  # rows of the table; `loyalty reviews list` has them all
_HOW = """Points are posted. Tier, voucher, gift and e-mail follow the decision. Decide with

```
loyalty reviews list
loyalty reviews approve 12 15 --by anna
loyalty reviews reject 13 --by anna --note "most of it came back"
```
"""


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


def _row(row: Row[Any]) -> str:
    tiers = f"{_plain(row.from_tier)} | {_plain(row.to_tier)}"
    return f"| {row.review_no} | {row.member_no} | {tiers} | {whole(row.qualifying_points)} | {row.due_at:%Y-%m-%d} |"


def _plain(name: str) -> str:
    """A tier's name that can't become markup or another column."""
    return "".join(f"\\{symbol}" if symbol in "\\`*_[]<>|#" else symbol for symbol in name)

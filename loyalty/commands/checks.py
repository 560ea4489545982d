"""`loyalty verify`: the books proved, check by check."""

from argparse import Namespace
from collections.abc import Iterator

from loyalty.commands.failures import FAILED
from loyalty.commands.terminal import say, say_json, table
from loyalty.db.programme import check_ready
from loyalty.db.verify import SHOWN, Check, verify
from loyalty.errors import LoyaltyError


def prove(given: Namespace) -> int:
    """Run every check. Raises LoyaltyError, after all offending rows are shown, if one finds any."""
    check_ready()
    done = []
    for check in verify():
        done.append(check)
        if not given.json:
            say(*_lines(check))
    failed = [check for check in done if not check.holds]
    if given.json:
        say_json({"holds": not failed, "checks": [_shown(check) for check in done]})
        return FAILED if failed else 0
    if failed:
        names = ", ".join(check.name for check in failed)
        raise LoyaltyError(f"{len(failed)} of {len(done)} checks failed: {names}")
    say(f"all {len(done)} checks hold")
    return 0


def _shown(check: Check) -> dict[str, object]:
    return {
        "name": check.name,
        "looks_for": check.looks_for,
        "holds": check.holds,
        "found": check.found,
        "rows": check.rows,
    }


def _lines(check: Check) -> Iterator[str]:
    if check.holds:
        yield f"ok      {check.name}"
        return
    rows = f"{check.found:,} {'row' if check.found == 1 else 'rows'}"
    yield f"FAILED  {check.name}: {rows} (it looks for {check.looks_for})"
    for line in table(tuple(check.rows[0]), [tuple(row.values()) for row in check.rows]):
        yield f"        {line}"
    if check.found > SHOWN:
        yield f"        and {check.found - SHOWN:,} more"

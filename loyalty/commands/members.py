"""`loyalty member CUSTOMER_ID`: a member on one page, and why every point is there."""

from argparse import Namespace
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from loyalty import clock
from loyalty.commands.terminal import moment, plain, say, say_json, table
from loyalty.db.members import Cause, Member, Month, Row, Why, read_member, read_why
from loyalty.db.programme import check_ready
from loyalty.db.redemptions import end_holds
from loyalty.rules.periods import display_period
from loyalty.rules.voucher_codes import display

_KINDS = {
    "earn": "earned",
    "take_back": "taken back for refunds",
    "expire": "expired",
    "expiry_reversed": "expiry given back, as the refunded points had expired",
    "write_off": "written off, as nothing was left to take",
    "correction": "as recomputed, with every transaction in its own month",
    "redeem": "redeemed",
    "undo": "given back of a redemption",
}

_ABOUT = {
    "take_back": "of sales of",
    "expiry_reversed": "of sales of",
    "expire": "of the lot of",
    "correction": "of",
    "redeem": "by redemption",
    "undo": "by redemption",
}


def show(given: Namespace) -> int:
    """Show a member as of an instant, with --why each entry's causes and each month's exact sum."""
    zone = check_ready()
    as_of = _as_of(given.as_of, zone)
    end_holds(given.customer_id, clock.now())
    if not given.why:
        member, why = read_member(given.customer_id, as_of), None
    else:
        member, why = read_why(given.customer_id, as_of)
    if given.json:
        say_json(plain(member) | ({"why": plain(why)} if why else {}))
        return 0
    say(*_page(member))
    if why:
        say(*_explained(why))
    return 0


def _as_of(given: datetime | None, zone: ZoneInfo) -> datetime:
    """The instant asked for; a local time is the programme's."""
    if given is None:
        return clock.now()
    return (given if given.tzinfo else given.replace(tzinfo=zone)).astimezone(UTC)


def _page(member: Member) -> Iterator[str]:
    held = f", safe until {display_period(member.held_until)} begins" if member.held_until else ""
    yield f"{member.customer_id} (member {member.member_no}) as of {moment(member.as_of)}"
    since = f" since {moment(member.tier_since)}" if member.tier_since else ""
    yield f"  tier       {member.tier}{since}{held}"
    yield (
        f"  balance    {member.balance:,} points: {member.available:,} available, "
        f"{member.pending:,} pending, {member.owed:,} owed"
    )
    if member.qualifying_points is not None:
        yield f"  qualifying {member.qualifying_points:,} points"
    yield from _statement(member.statement)
    yield from _section("Lots", _lots(member))
    yield from _section("Vouchers", _vouchers(member))
    yield from _section("Moves", _moves(member))
    yield from _section("Reviews", _reviews(member))


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def _statement(statement: Row | None) -> Iterator[str]:
    if statement is None:
        yield "  no month is closed yet"
        return
    s = statement
    yield ""
    yield f"Statement of {s['period']}"
    yield (
        f"  {s['opening_balance']:,} + {s['points_earned']:,} earned - {s['points_redeemed']:,} redeemed "
        f"- {s['points_expired']:,} expired + {s['points_adjusted']:,} adjusted = {s['closing_balance']:,}"
    )
    yield f"  {s['transactions']:,} transactions, spend {s['spend']:,}"
    yield f"  tier {s['tier_before']} at its beginning, {s['tier_after']} at its end, review {s['review']}"


def _lots(member: Member) -> list[str]:
    figures = ("lot", "points", "used", "expired", "left")
    return table(
        ("lot", "from", "month", *figures[1:], "state", "available", "expires"),
        (
            (
                str(lot["lot_no"]),
                lot["kind"],
                display_period(lot["period"]),
                lot["points"],
                lot["used"],
                lot["expired"],
                lot["remaining"],
                lot["state"],
                moment(lot["available_at"]),
                moment(lot["expires_at"]) if lot["expires_at"] else "never",
            )
            for lot in member.lots
        ),
        right=figures,
    )


def _vouchers(member: Member) -> list[str]:
    return table(
        ("code", "tier", "amount", "state", "issued", "expires"),
        (
            (
                display(voucher["code"]),
                voucher["tier"],
                f"{voucher['amount']:,} {voucher['currency']}",
                voucher["state"],
                moment(voucher["issued_at"]),
                moment(voucher["expires_at"]),
            )
            for voucher in member.vouchers
        ),
        right=("amount",),
    )


def _moves(member: Member) -> list[str]:
    return table(
        ("effective", "from", "to", "month", "review"),
        (
            (
                moment(move["effective_at"]),
                move["from_tier"],
                move["tier"],
                display_period(move["period"]),
                move["review_no"] and str(move["review_no"]),
            )
            for move in member.moves
        ),
    )


def _reviews(member: Member) -> list[str]:
    return table(
        ("review", "month", "from", "to", "qualifying", "state", "by", "note"),
        (
            (
                str(review["review_no"]),
                display_period(review["period"]),
                review["from_tier"],
                review["tier"],
                review["qualifying_points"],
                review["state"],
                review["decided_by"],
                review["note"],
            )
            for review in member.reviews
        ),
        right=("review", "qualifying"),
    )


def _explained(why: Why) -> Iterator[str]:
    yield ""
    yield "Why: every entry, and what it comes from"
    for cause in why.causes:
        yield from _cause(cause)
    for month in why.months:
        yield from _unposted(month, why)
    if why.waiting:
        yield f"  not rated yet, in months still open: {len(why.waiting):,} transactions"
        yield from (f"    {line}" for line in _transactions(why.waiting))


def _cause(cause: Cause) -> Iterator[str]:
    entry = cause.entry
    what = _KINDS.get(entry["kind"], entry["kind"])
    yield f"  entry {entry['entry_id']} of {entry['period']}: {entry['points']:+,} {what}{_reference(entry)}"
    if cause.exact_before is not None and cause.exact_after is not None:
        yield f"    exact sum {_exact(cause.exact_before)} became {_exact(cause.exact_after)}, whole points are posted"
    yield from (f"    {line}" for line in _transactions(cause.transactions))
    for use in cause.uses:
        if use["lot_no"] is None:
            yield f"    {use['points']:,} still owed"
        else:
            yield f"    {use['points']:,} from lot {use['lot_no']}"
    for taken in cause.taken_by:
        yield f"    {taken['points']:,} of its lot went to entry {taken['entry_id']} ({taken['kind']})"


def _reference(entry: Row) -> str:
    about = "at the till by" if entry["source"] == "till" else _ABOUT.get(entry["kind"])
    reason = f" ({entry['reason']})" if entry["reason"] else ""
    return (f" {about} {entry['reference']}" if about else "") + reason


def _unposted(month: Month, why: Why) -> Iterator[str]:
    """The month's transactions that moved the exact sum by too little to post a point."""
    traced = {row["transaction_no"] for cause in why.causes for row in cause.transactions}
    rest = tuple(row for row in month.transactions if row["transaction_no"] not in traced)
    if rest:
        yield f"  {display_period(month.period)}: no whole point, carried on to exactly {_exact(month.exact_after)}"
        yield from (f"    {line}" for line in _transactions(rest))


def _transactions(rows: tuple[Row, ...]) -> list[str]:
    return table(
        ("transaction", "when", "kind", "amount", "eligible", "rate", "tier", "exact points", "rules"),
        (_transaction(row) for row in rows),
        right=("amount", "eligible", "rate", "exact points", "rules"),
    )


def _transaction(row: Row) -> tuple[Any, ...]:
    source = "" if row["source"] == "default" else f"{row['source']}:"
    kind = row["kind"].replace("_", " ")
    if row["sale"] is not None:
        kind = f"{kind} of {source}{row['sale']}"
    if row["corrects"]:
        kind = f"{kind}, corrected"
    return (
        f"{source}{row['transaction_id']}",
        moment(row["occurred_at"]),
        kind,
        f"{row['amount']:,} {row['currency']}",
        f"{row['eligible']:,}",
        f"{row['rate']:f} x {_exact(row['multiplier'] or Decimal(0))}",
        row["tier"],
        _exact(row["exact_points"]),
        f"version {row['rules_version']}",
    )


def _exact(number: Decimal) -> str:
    """A decimal with no zeros at its end."""
    shown = f"{number:,f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown

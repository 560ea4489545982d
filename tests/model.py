"""A plain-Python reading of the programme's monthly run: the oracle that the SQL is compared with.

It follows the words of the semantics (sections 0 to 9 and 12 to 14) one member at a time, with integers and
fractions, and knows nothing of the product's code. Clarity first, speed never. All money is in the
programme's currency, of a hundred minor units. The clock only runs forward: instants given never go back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import count
from math import floor
from typing import Any, Literal
from zoneinfo import ZoneInfo

Kind = Literal["sale", "refund"]
Decision = Literal["approved", "rejected", "lapsed"]

PIECES = frozenset({"tax", "shipping", "tip", "fee", "gift_card", "paid_with_points"})
STARTS_ON = date(1990, 1, 1)
UNDO_GRACE_DAYS = 7
NEVER = datetime.max.replace(tzinfo=UTC)
CLOSE, EXPIRY, REDEMPTION, RECOMPUTE = "close", "expiry", "redemption", "recompute"  # what an entry's `source` says


class Refused(Exception):
    """What is asked for is not allowed in the state that the programme is in."""


@dataclass(frozen=True)
class Tier:
    """One rung of the ladder: qualifying points it takes, what it multiplies, what reaching it brings."""

    name: str
    threshold: int
    multiplier: Fraction = Fraction(1)
    review: bool = False
    voucher_minor: int | None = None
    gift: str | None = None


LADDER = (
    Tier("Bronze", 0),
    Tier("Silver", 120, voucher_minor=500),
    Tier("Gold", 250, Fraction(5, 4), review=True, voucher_minor=1000),
    Tier("Platinum", 550, Fraction(3, 2), review=True, voucher_minor=2500, gift="gift"),
)


@dataclass(frozen=True)
class Rules:
    """One version of the programme's rules; the defaults are the default programme."""

    rate: Fraction = Fraction(1, 10)
    ladder: tuple[Tier, ...] = LADDER
    earning: Literal["monthly", "on_purchase"] = "monthly"
    window: Literal["period", "last_30_days"] = "period"
    qualify: Literal["trailing_12_months", "lifetime", "period"] = "trailing_12_months"
    pending_days: int = 0
    shortfall: Literal["owe", "write_off"] = "owe"
    expiry_months: int | None = 12
    hold_months: int = 3
    downgrade: Literal["step", "never"] = "step"
    review_above_points: int | None = None
    review_days: int = 14
    review_overdue: Literal["lapse", "escalate"] = "lapse"
    review_again_months: int = 6
    reward_again_months: int = 12
    voucher_days: int = 90
    warn_months: int = 1
    exclude: frozenset[str] = PIECES
    currency: str = "USD"

    def rank(self, name: str) -> int:
        """Place of a tier on the ladder, 0 for the first rung."""
        return [tier.name for tier in self.ladder].index(name)


DEFAULT = Rules()


@dataclass
class Transaction:
    """A row of the import: money in minor units; `pieces` are parts of `amount` (one of 0 is not there)."""

    transaction_id: str
    customer_id: str
    occurred_at: datetime
    amount: int
    kind: Kind = "sale"
    original: str | None = None
    source: str = "default"
    pieces: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pieces = {name: part for name, part in self.pieces.items() if part}


@dataclass(eq=False)
class Row:
    """A recorded transaction. `exact` (points, negative for a refund) is fixed when its period closes.

    `reverses`: it takes back a row of the same words. `place` is the earlier period whose points it moves, for a
    reversal or a replacement of a sale. `corrected`: it has been reversed. `follows`: the row that it takes back or
    replaces. `stage`: which stage of which file of corrections recorded it.
    """

    what: Transaction
    booked: str
    sale: Row | None = None
    refunds: list[Row] = field(default_factory=list)
    exact: Fraction | None = None
    reverses: bool = False
    place: str | None = None
    corrected: bool = False
    follows: Row | None = None
    stage: int = 0
    number: int = field(default_factory=count().__next__)

    @property
    def order(self) -> tuple[Any, ...]:
        """Where it stands among the refunds of a sale: in order of recording, but for corrections.

        A stage of corrections books what is new, then all reversals, then all replacements, both as their rows stood.
        """
        rank = 0 if self.follows is None else 1 if self.reverses else 2
        return (self.booked, self.stage, rank, self.follows.order if self.follows else (self.number,))

    @property
    def of_sale(self) -> bool:
        """Whether it is a sale or names one."""
        return self.sale is not None or self.what.kind == "sale"

    @property
    def slot(self) -> str:
        """The period whose points this row moves: a refund's is that of its sale, unless that is yet to come."""
        if self.sale is not None:
            return min(self.booked, self.sale.slot)
        return self.place or self.booked

    @property
    def refunded(self) -> int:
        """What a refund takes of its sale's amount; the reversal of one gives it back."""
        return -self.what.amount if self.reverses else self.what.amount

    @property
    def stands(self) -> bool:
        """Whether it says what is true now."""
        return not self.reverses and not self.corrected


@dataclass(frozen=True)
class Entry:
    """One movement of points, never changed."""

    customer_id: str
    kind: str
    points: int
    occurred_at: datetime
    period: str
    source: str
    reference: str
    expires_at: datetime | None = None
    reason: str = ""


@dataclass(eq=False)
class Lot:
    """Points credited together, by the close of `origin`. `expired`: gone unspent, and not reversed since.

    `other`: no close's own credit, but what came back to a lot that has passed, or was recomputed.
    """

    origin: str
    points: int
    available_at: datetime
    expires_at: datetime | None
    remaining: int = 0
    expired: int = 0
    returned: bool = False
    other: bool = False


@dataclass(eq=False)
class Member:
    """One member's rows, lots (in order of credit), debt and moves (tier, effective at; in order of time)."""

    customer_id: str
    rows: list[Row] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)
    owed: int = 0
    moves: list[tuple[str, datetime]] = field(default_factory=list)
    held_until: datetime = NEVER

    def enter(self, kind: str, points: int, *told: Any) -> None:
        """Write an entry: occurred_at, period, source, reference and, for a lot, expires_at."""
        self.entries.append(Entry(self.customer_id, kind, points, *told))

    def credit(self, points: int, lot: Lot) -> None:
        """Owed and unspent points never stand together: a credit first pays what is owed."""
        paid = min(points, self.owed)
        self.owed -= paid
        lot.remaining += points - paid
        if lot not in self.lots:
            self.lots.append(lot)

    def spendable(self, at: datetime) -> list[Lot]:
        """Available lots: the soonest to expire first, those without expiry last, then the oldest."""
        lots = [lot for lot in self.lots if lot.available_at <= at < (lot.expires_at or NEVER)]
        return sorted(lots, key=lambda lot: lot.expires_at or NEVER)

    def pending(self, at: datetime) -> list[Lot]:
        """Lots not available yet, the youngest first."""
        return [lot for lot in reversed(self.lots) if at < lot.available_at]


def debit(points: int, lots: Iterable[Lot]) -> list[tuple[Lot, int]]:
    """Take points from these lots in this order, as far as they go; what each of them gave."""
    uses = []
    for lot in lots:
        used = min(points, lot.remaining)
        lot.remaining -= used
        points -= used
        uses.append((lot, used))
    return [(lot, used) for lot, used in uses if used]


def shift(period: str, months: int) -> str:
    """The period so many months later (or earlier)."""
    year, month = divmod(int(period[:4]) * 12 + int(period[5:]) - 1 + months, 12)
    return f"{year:04}-{month + 1:02}"


@dataclass(frozen=True)
class Calendar:
    """Months and days of the programme's time zone. Every instant returned is in UTC."""

    zone: ZoneInfo

    def midnight(self, day: date) -> datetime:
        """The first instant of a day, also where clocks change at midnight."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def end(self, period: str) -> datetime:
        """The first instant that is no longer in the period."""
        return self.midnight(date.fromisoformat(f"{shift(period, 1)}-01"))

    def period(self, at: datetime) -> str:
        """The month that an instant falls in."""
        return f"{at.astimezone(self.zone):%Y-%m}"

    def end_of_day(self, at: datetime, days: int) -> datetime:
        """The end of the n-th day after the day of `at`."""
        return self.midnight(at.astimezone(self.zone).date() + timedelta(days=days + 1))

    def later(self, at: datetime, *, months: int = 0, days: int = 0) -> datetime:
        """The same time of day so much later; the last day of a month too short for the date.

        Where clocks show that time twice or never, the later reading.
        """
        local = at.astimezone(self.zone)
        first = date.fromisoformat(f"{shift(f'{local:%Y-%m}', months)}-01")
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        day = first.replace(day=min(local.day, last.day)) + timedelta(days=days)
        readings = (datetime.combine(day, local.time().replace(fold=fold), self.zone) for fold in (0, 1))
        return max(reading.astimezone(UTC) for reading in readings)


class Programme:
    """A whole programme in memory. `rules` is one version, or versions each with its first period.

    All versions have the same tiers by name; the first one is in force since the beginning.
    """

    def __init__(self, zone: str, rules: Rules | list[tuple[str, Rules]] = DEFAULT) -> None:
        self.calendar = Calendar(ZoneInfo(zone))
        versions = sorted(rules, key=lambda v: v[0]) if isinstance(rules, list) else [("", rules)]
        self._versions = [("", versions[0][1]), *versions[1:]]
        self._rows: dict[tuple[str, str | None], Row] = {}
        self._stage = 0
        self._members: dict[str, Member] = {}
        self._last_closed = ""
        self._statements: dict[str, list[dict[str, str]]] = {}
        self._proposed: dict[tuple[str, str], str] = {}
        self._rewarded: dict[tuple[str, str], datetime] = {}
        self._reviews: list[dict[str, Any]] = []
        self._vouchers: list[dict[str, Any]] = []
        self._gifts: list[dict[str, Any]] = []
        self._warnings: list[tuple[str, str, str]] = []
        self._redemptions: dict[str, tuple[Member, list[tuple[Lot, int]]]] = {}
        self._closes: dict[str, tuple[str, datetime]] = {}
        self._decided: list[tuple[str, str, datetime]] = []
        self._recomputed: dict[tuple[str, str], int] = {}

    # -- import: sections 1, 3, 4, 13

    def record(
        self, transactions: Iterable[Transaction], recorded_at: datetime, *, correct: bool = False
    ) -> list[tuple[str, str]]:
        """Take a file of transactions in; return (transaction_id, reason) for each that is not taken.

        A row recorded before is taken again without effect; with other content it is not taken or, with `correct`,
        corrects the recorded one. Order within the file does not matter: sales come before refunds, and refunds in
        order of time, then of source and id.
        """
        if correct:
            return self._record_corrections(transactions, recorded_at)
        rejected: list[tuple[str, str]] = []
        given: dict[tuple[str, str], list[Transaction]] = {}
        for new in transactions:
            given.setdefault((new.source, new.transaction_id), []).append(new)
        for key, same in sorted(given.items(), key=lambda item: self._import_order(item[1][0])):
            known = self._rows.get(key)
            refused = [new for new in same if new != (known.what if known else same[0])]
            reason = "the same id with other content"
            if known is None and refused:
                refused = same  # nobody can say which of them is the one
            elif known is None:
                reason = self._refusal(same[0], recorded_at) or self._refund_refusal(same[0])
                refused = same if reason else []
                if not reason:
                    self._book(same[0])
            rejected += [(new.transaction_id, reason) for new in refused]
        return sorted(rejected)

    def _import_order(self, new: Transaction) -> tuple[bool, datetime, str, str]:
        return new.kind == "refund", new.occurred_at, new.source, new.transaction_id

    def _refusal(self, new: Transaction, recorded_at: datetime) -> str:
        if not self.calendar.midnight(STARTS_ON) <= new.occurred_at <= recorded_at + timedelta(days=1):
            return "date out of range"
        if new.amount < 0 or (new.kind == "refund" and new.amount == 0):
            return "bad amount"
        if any(part < 0 for part in new.pieces.values()) or sum(new.pieces.values()) > new.amount:
            return "pieces above the amount"
        return ""

    def _refund_refusal(self, new: Transaction) -> str:
        if new.kind == "sale" or new.original is None:
            return ""
        sale = self._rows.get((new.source, new.original))
        if sale is None or sale.what.kind == "refund":
            return "unknown original"
        if sale.what.customer_id != new.customer_id:
            return "refund of another customer's sale"
        known = self._rows.get((new.source, new.transaction_id))
        given_back = known.what.amount if known is not None and known.sale is sale else 0
        if sum(row.refunded for row in sale.refunds) + new.amount - given_back > sale.what.amount:
            return "refund above its sale"
        return ""

    def _record_corrections(self, given: Iterable[Transaction], recorded_at: datetime) -> list[tuple[str, str]]:
        """A file with corrections: rows that name no sale, refunds of sales, then sales that were too small at first.

        Of rows with the same id the first one counts; the others are not taken unless they say the same.
        """
        firsts: dict[tuple[str, str], Transaction] = {}
        rejected: list[tuple[str, str]] = []
        for new in given:
            if (reason := self._refusal(new, recorded_at)) != "":
                rejected.append((new.transaction_id, reason))
            elif firsts.setdefault((new.source, new.transaction_id), new) != new:
                rejected.append((new.transaction_id, "the same id with other content"))
        ordered = sorted(firsts.values(), key=self._import_order)
        plain = [new for new in ordered if new.original is None]
        short = [new for new in plain if self._corrects(new) and self._refunded_of(new) > new.amount]
        rejected += self._correct_all([new for new in plain if new not in short])
        refunds = [new for new in ordered if new.original is not None]
        rejected += self._correct_all(sorted(refunds, key=lambda new: (self._added(new) >= 0, self._import_order(new))))
        return sorted(rejected + self._correct_all(short))

    def _corrects(self, new: Transaction) -> bool:
        known = self._rows.get((new.source, new.transaction_id))
        return known is not None and known.what != new

    def _refunded_of(self, new: Transaction) -> int:
        """What is refunded of the recorded row of this id."""
        return sum(row.refunded for row in self._rows[new.source, new.transaction_id].refunds)

    def _added(self, new: Transaction) -> int:
        """How much more a refund takes of its sale than the recorded one of its id does."""
        known = self._rows.get((new.source, new.transaction_id))
        sale = self._rows.get((new.source, new.original))
        return new.amount - (known.what.amount if known and known.sale and known.sale is sale else 0)

    def _correct_all(self, rows: list[Transaction]) -> list[tuple[str, str]]:
        """One stage of a file with corrections: judged on what was recorded before it, then recorded."""
        self._stage += 1
        before = {key: self._rows.get(key) for key in ((new.source, new.transaction_id) for new in rows)}
        corrected = {key for key, new in zip(before, rows, strict=True) if self._corrects(new)}
        standing = {key: [r for r in known.refunds if r.stands] for key, known in before.items() if known}
        rejected: list[tuple[str, str]] = []
        for (key, known), new in zip(before.items(), rows, strict=True):
            if known is not None and known.what == new:
                continue
            there = standing.get(key, [])
            reason = self._refund_refusal(new)
            if known is not None and there and new.kind != "sale":
                reason = "it has refunds, so it must stay a sale"
            elif known is not None and new.kind == "sale" and self._refunded_of(new) > new.amount:
                reason = "sale below its refunds"
            elif not reason and new.original is not None and (new.source, new.original) in corrected:
                reason = "unknown original"
            if reason:
                rejected.append((new.transaction_id, reason))
                corrected.discard((new.source, new.transaction_id))
            elif known is None:
                self._book(new)
            else:
                self._correct(known, new, [r for r in there if (new.source, r.what.transaction_id) not in corrected])
        self._stage += 1
        return rejected

    def _correct(self, known: Row, new: Transaction, carried: list[Row]) -> None:
        """Reverse a row and book another in its place; its refunds go along with it."""
        for row in (known, *carried):
            back = Row(row.what, self._open(row.booked), sale=row.sale, reverses=True, follows=row, stage=self._stage)
            if row.sale is not None:
                self._refund(back, row.sale)
            elif row.what.kind == "sale":
                back.place = row.slot
            row.corrected = True
            self._members[row.what.customer_id].rows.append(back)
        taken_over = self._book(new, follows=known)
        late = max(self.calendar.period(new.occurred_at), known.slot) < self._open("")
        if known.what.kind == new.kind == "sale" and known.what.customer_id == new.customer_id and late:
            taken_over.place = known.slot
        for row in sorted(carried, key=lambda row: row.booked):
            self._book(replace(row.what, customer_id=new.customer_id), follows=row)

    def _book(self, new: Transaction, follows: Row | None = None) -> Row:
        row = Row(new, self._open(self.calendar.period(new.occurred_at)), follows=follows, stage=self._stage)
        if new.kind == "refund" and new.original is not None:
            self._refund(row, self._rows[new.source, new.original])
        self._rows[new.source, new.transaction_id] = row
        self._members.setdefault(new.customer_id, Member(new.customer_id)).rows.append(row)
        return row

    def _refund(self, row: Row, sale: Row) -> None:
        row.sale = sale
        sale.refunds.append(row)
        sale.refunds.sort(key=lambda refund: refund.order)

    def _open(self, period: str) -> str:
        """The period itself while it is open, else the earliest open one."""
        return max(period, shift(self._last_closed, 1)) if self._last_closed else period

    # -- money to exact points: sections 2 and 3

    def _rules(self, period: str) -> Rules:
        return [rules for start, rules in self._versions if start <= period][-1]

    def _eligible(self, row: Row) -> int:
        """Eligible money of a row in minor units, negative for a refund."""
        what, sale = row.what, row.sale
        if sale is None:
            exclude = self._rules(self.calendar.period(what.occurred_at)).exclude
            money = what.amount - sum(part for piece, part in what.pieces.items() if piece in exclude)
            return money if (what.kind == "sale") != row.reverses else -money
        refunded = sum(earlier.refunded for earlier in sale.refunds[: sale.refunds.index(row)])
        share = Fraction(self._eligible(sale), sale.what.amount)
        return round(share * refunded) - round(share * (refunded + row.refunded))  # round() is half-even

    def _exact(self, row: Row) -> Fraction:
        """Points of a row, rated as on the day of its sale."""
        if row.exact is not None:
            return row.exact
        rules = self._rules(self.calendar.period((row.sale or row).what.occurred_at))
        tier = rules.ladder[rules.rank(self._tier(self._members[row.what.customer_id], self._rated_at(row)))]
        return Fraction(self._eligible(row), 100) * rules.rate * tier.multiplier

    def _rated_at(self, row: Row) -> datetime:
        """The moment whose tier multiplies a row: its sale's, or the end of a month that closes before the sale's."""
        if row.sale is None or row.sale.booked <= row.booked:
            return (row.sale or row).what.occurred_at
        return min(row.sale.what.occurred_at, self.calendar.end(row.booked) - timedelta(microseconds=1))

    def _sum(self, rows: Iterable[Row]) -> Fraction:
        return sum((self._exact(row) for row in rows), Fraction(0))

    def _tier(self, member: Member, at: datetime) -> str:
        """The tier held at an instant: that of the last move effective by then."""
        first_rung = self._versions[0][1].ladder[0].name
        return [first_rung, *(tier for tier, moved in member.moves if moved <= at)][-1]

    # -- the close: sections 1, 4, 14

    def close(self, period: str, reviews: str = "hold", *, now: datetime, by: str = "backfill") -> str:
        """Close one month, all as of its end, and say 'closed' or 'unchanged'; reviews are asked at `now`.

        With `reviews="approve"` held upgrades are approved in the name of `by`. Refused while an earlier
        month is open, and before this one has ended.
        """
        if period <= self._last_closed:
            return "unchanged"
        first = min((row.booked for row in self._rows.values()), default=period)
        if self._last_closed:
            first = shift(self._last_closed, 1)
        if first < period:
            raise Refused(f"{first} is still open: close it first")
        if now < self.calendar.end(period):
            raise Refused(f"{period} has not ended")
        self._expire(self.calendar.end(period), self._rules(period), recorded_at=now)
        self._statements[period] = []
        for _, member in sorted(self._members.items()):
            self._post(member, period)
            qualifying = self._qualifying(member, period)
            proposed = self._move_or_hold(member, period, qualifying)
            if proposed is not None:
                self._proposed[period, member.customer_id] = proposed.name
                self._propose(member, period, proposed, now, by if reviews == "approve" else None)
            self._statements[period] += self._statement(member, period, qualifying)
        self._last_closed = period
        self._closes[period] = (reviews, now)
        return "closed"

    def _post(self, member: Member, period: str) -> None:
        """Take-backs of earlier periods' sales, the oldest period first, then the period's own net.

        What corrections add to an earlier period is posted with the period's own.
        """
        running = self._sum(row for row in member.rows if row.booked < period)
        booked = [row for row in member.rows if row.booked == period]
        for row in booked:
            row.exact = self._exact(row)
        total = running + self._sum(booked)
        for slot in sorted({row.slot for row in booked if row.slot < period}):
            after = running + self._sum(row for row in booked if row.slot == slot)
            if after > running:
                continue
            self._take_back(member, period, slot, floor(running) - floor(after))
            running = after
        self._earn(member, period, floor(total) - floor(running))

    def _take_back(self, member: Member, period: str, slot: str, points: int) -> None:
        """Points of an earlier period's sales; what their lot has lost by expiry is not taken again."""
        if points == 0:
            return
        told = (self.calendar.end(period), period, CLOSE, slot)
        member.enter("take_back", -points, *told)
        self._take_from_own(member, period, points, told)

    def _take_from_own(self, member: Member, period: str, points: int, told: tuple[datetime, str, str, str]) -> None:
        """Debit the lot of the month told of first, where what has expired is given back instead; then the others."""
        at, _, source, slot = told
        lots = [lot for lot in member.lots if lot.origin == slot and not lot.returned and not lot.other]
        for lot in lots:
            gone = min(max(points - lot.remaining, 0), lot.expired)
            lot.expired -= gone
            points -= gone
            if gone:
                member.enter("expiry_reversed", gone, *told)
        self._charge(member, period, points, slot, lots, at=at, source=source)

    def _earn(self, member: Member, period: str, net: int) -> None:
        """The period's own net: a lot, or a debit that has no lot of its own."""
        rules, told = self._rules(period), (self.calendar.end(period), period, CLOSE, period)
        if net > 0:
            months = rules.expiry_months
            expires_at = None if months is None else self.calendar.end(shift(period, months))
            member.enter("earn", net, *told, expires_at)
            member.credit(net, Lot(period, net, self._available_at(period), expires_at))
        elif net < 0:
            member.enter("earn", net, *told)
            self._charge(member, period, -net, period, [])

    def _available_at(self, period: str) -> datetime:
        """When the lot of a close can be spent: so many days after the period's end."""
        return self.calendar.end_of_day(self.calendar.end(period), self._rules(period).pending_days - 1)

    def _charge(
        self,
        member: Member,
        period: str,
        points: int,
        reference: str,
        own: list[Lot],
        *,
        at: datetime | None = None,
        source: str = CLOSE,
    ) -> None:
        """Debit the sale's own lot, pending ones, then the order of spending; owe or write off the rest."""
        at = at or self.calendar.end(period)
        uses = debit(points, [*own, *member.pending(at), *member.spendable(at)])
        short = points - sum(used for _, used in uses)
        if short and self._rules(period).shortfall == "write_off":
            member.enter("write_off", short, at, period, source, reference)
        else:
            member.owed += short

    def _statement(self, member: Member, period: str, qualifying: int) -> list[dict[str, str]]:
        """The member's row of the period; none for a member who has nothing to state."""
        start, end = self.calendar.end(shift(period, -1)), self.calendar.end(period)
        booked = [row for row in member.rows if row.booked == period]
        entered = [entry for entry in member.entries if entry.period == period]
        opening = sum(entry.points for entry in member.entries if entry.period < period)
        moved = any(start < at <= end for _, at in member.moves)
        if not (opening or booked or entered or moved or (period, member.customer_id) in self._proposed):
            return []
        earned = sum(entry.points for entry in entered if entry.kind in {"earn", "take_back"})
        redeemed = -sum(entry.points for entry in entered if entry.kind in {"redeem", "undo"})
        expired = -sum(entry.points for entry in entered if entry.kind == "expire")
        closing = opening + sum(entry.points for entry in entered)
        values = {
            "period": period,
            "customer_id": member.customer_id,
            "opening_balance": opening,
            "transactions": len(booked),
            "spend": self._spend(member, period),
            "points_earned": earned,
            "points_redeemed": redeemed,
            "points_expired": expired,
            "points_adjusted": closing - opening - earned + redeemed + expired,
            "closing_balance": closing,
            "qualifying_points": qualifying,
            "tier_before": self._tier(member, start),
            "tier_after": self._tier(member, end),
        }
        return [{name: str(value) for name, value in values.items()}]

    def _spend(self, member: Member, period: str) -> str:
        """Total monthly spend: net eligible money of the window, in major units."""
        rows = [row for row in member.rows if row.booked == period]
        if self._rules(period).window == "last_30_days":
            end = self.calendar.end(period)
            start = self.calendar.midnight(end.astimezone(self.calendar.zone).date() - timedelta(days=30))
            rows = [row for row in member.rows if start <= row.what.occurred_at < end]
        spend = sum(self._eligible(row) for row in rows)
        return f"{'-' * (spend < 0)}{abs(spend) // 100}.{abs(spend) % 100:02}"

    # -- tiers and reviews: sections 5, 7, 8, 9

    def _qualifying(self, member: Member, period: str, *, refunds_since: bool = False) -> int:
        """Points of the window's sales net of their refunds: floor(C) - floor(C - W).

        Rows whose lots are not available at this one's end are left out until they are; a refund that names
        no sale has no lot to wait for. With `refunds_since`, later refunds of the same sales count as well.
        """
        months = {"period": 1, "trailing_12_months": 12, "lifetime": 12 * 1000}[self._rules(period).qualify]
        first = shift(period, 1 - months)
        known = [
            row for row in member.rows if row.booked <= period or (refunds_since and row.of_sale and row.slot <= period)
        ]
        end = self.calendar.end(period)
        of_sales = [row for row in known if row.of_sale and self._spendable_from(row) <= end]
        total = self._sum(of_sales) + self._sum(row for row in known if not row.of_sale)
        window = self._sum(row for row in of_sales if row.slot >= first)
        return floor(total) - floor(total - window)

    def _spendable_from(self, row: Row) -> datetime:
        """When the points of a sale, or of what names it, can be spent."""
        return self._available_at(row.slot)

    def _move_or_hold(self, member: Member, period: str, qualifying: int) -> Tier | None:
        """Up, hold, warn or down; or, not moved, the tier of an upgrade that needs a review."""
        end, rules = self.calendar.end(period), self._rules(period)
        due = max((rank for rank, tier in enumerate(rules.ladder) if tier.threshold <= qualifying), default=0)
        posted = [e for e in member.entries if e.period == period and e.kind in {"earn", "take_back"}]
        above = rules.review_above_points
        review = rules.ladder[due].review or (above is not None and sum(e.points for e in posted) >= above)
        decided_since = bool(member.moves) and member.moves[-1][1] > end
        held = rules.rank(self._tier(member, NEVER if decided_since else end))
        review = review or self._undecided(member.customer_id, period, held, due)
        upgrade = rules.ladder[due] if due > held and review else None
        if decided_since:
            return upgrade
        if due > held and not review:
            self._upgrade(member, rules.ladder[due], end, period)
        elif due >= held:
            self._hold(member, period)
        elif rules.downgrade == "step":
            if member.held_until <= end:
                held -= 1
                member.moves.append((rules.ladder[held].name, end))
                self._hold(member, period)
            if due < held and member.held_until <= self.calendar.end(shift(period, rules.warn_months)):
                self._warnings.append((member.customer_id, period, rules.ladder[held].name))
        return upgrade

    def _undecided(self, customer_id: str, period: str, held: int, due: int) -> bool:
        """Whether managers were asked, in an earlier month, about something on the way from `held` to `due`.

        A tier that the member has not reached since counts; one above `due` only if it needs no review itself.
        """
        rules, end, moves = self._rules(period), self.calendar.end(period), self._members[customer_id].moves
        for review in self._reviews:
            rank, since = rules.rank(review["tier"]), self.calendar.end(review["period"])
            if review["customer_id"] != customer_id or review["period"] >= period or rank <= held:
                continue
            reached = any(since <= at < end and rules.rank(tier) >= rank for tier, at in moves)
            if not reached and (rank <= due or not rules.ladder[rank].review):
                return True
        return False

    def _hold(self, member: Member, period: str) -> None:
        member.held_until = self.calendar.end(shift(period, self._rules(period).hold_months))

    def _propose(self, member: Member, period: str, tier: Tier, now: datetime, approver: str | None) -> None:
        """Open a review, find it open, or leave it at a recent rejection; a backfill may approve it."""
        end, rules = self.calendar.end(period), self._rules(period)
        key = {"customer_id": member.customer_id, "tier": tier.name}
        asked = [review for review in self._reviews if key.items() <= review.items()]
        rejected = [review["decided_at"] for review in asked if review["state"] == "rejected"]
        if any(end < self.calendar.later(at, months=rules.review_again_months) for at in rejected):
            return
        if not asked or asked[-1]["state"] != "pending":
            deadline = self.calendar.later(now, days=rules.review_days)
            asked.append({**key, "period": period, "asked_at": now, "deadline": deadline, "state": "pending"})
            self._reviews.append(asked[-1])
        if approver is not None and self._tier(member, NEVER) == self._tier(member, end):
            asked[-1].update(state="approved", decided_at=now, by=approver, note="", reason="")
            self._upgrade(member, tier, end, period)

    def decide(self, customer_id: str, tier_name: str, approve: bool, *, by: str, note: str, now: datetime) -> Decision:
        """A manager's decision on the open review of this member and tier; Refused if there is none."""
        key = {"customer_id": customer_id, "tier": tier_name, "state": "pending"}
        review = next((review for review in self._reviews if key.items() <= review.items()), None)
        if review is None:
            raise Refused(f"no open review of {customer_id} for {tier_name}")
        member, period = self._members[customer_id], self.calendar.period(now)
        reason = self._lapse_reason(member, review, now)
        outcome: Decision = "lapsed" if reason else "approved" if approve else "rejected"
        review.update(state=outcome, decided_at=now, by=by, note="" if reason else note, reason=reason)
        if outcome == "approved":
            rules = self._rules(period)
            self._upgrade(member, rules.ladder[rules.rank(tier_name)], now, period)
            self._decided.append((customer_id, tier_name, now))
        return outcome

    def _lapse_reason(self, member: Member, review: dict[str, Any], now: datetime) -> str:
        """Why a decision comes to nothing, by the facts of the review's own window; '' if it stands."""
        rules = self._rules(review["period"])
        rank = rules.rank(review["tier"])
        if now >= review["deadline"] and self._rules(self.calendar.period(now)).review_overdue == "lapse":
            return "not decided in time"
        if rules.rank(self._tier(member, now)) >= rank:
            return "has moved already"
        if self._qualifying(member, review["period"], refunds_since=True) < rules.ladder[rank].threshold:
            return "no longer qualifies"
        return ""

    def _upgrade(self, member: Member, tier: Tier, at: datetime, period: str) -> None:
        """A move up, by the rules of `period`, with the tier's rewards: once in so many months."""
        rules, key = self._rules(period), (member.customer_id, tier.name)
        member.moves.append((tier.name, at))
        self._hold(member, period)
        last = self._rewarded.get(key)
        if last is not None and at < self.calendar.later(last, months=rules.reward_again_months):
            return
        what = {"customer_id": member.customer_id, "tier": tier.name, "effective_at": at}
        if tier.voucher_minor is not None:
            expires_at = self.calendar.end_of_day(at, rules.voucher_days)
            worth = {"amount": tier.voucher_minor, "expires_at": expires_at}
            self._vouchers.append({**what, **worth, "state": "issued"})
            self._rewarded[key] = at
        if tier.gift is not None:
            self._gifts.append({**what, "item": tier.gift, "state": "open"})
            self._rewarded[key] = at

    # -- every day: section 6; and redemptions, for the lots' sake

    def expire(self, as_of: datetime) -> None:
        """Record what has passed by an instant: lots, vouchers, and reviews that nobody decided."""
        self._expire(as_of, self._rules(self.calendar.period(as_of)), recorded_at=as_of)

    def _expire(self, as_of: datetime, rules: Rules, *, recorded_at: datetime) -> None:
        self._expire_lots(as_of)
        for voucher in self._vouchers:
            if voucher["state"] == "issued" and voucher["expires_at"] <= as_of:
                voucher["state"] = "expired"
        for review in self._reviews:
            if review["state"] == "pending" and review["deadline"] <= as_of and rules.review_overdue == "lapse":
                late = "not decided in time"
                review.update(state="lapsed", decided_at=recorded_at, by="system", note="", reason=late)

    def _expire_lots(self, as_of: datetime) -> None:
        for member in self._members.values():
            for lot in member.lots:
                if lot.remaining and lot.expires_at is not None and lot.expires_at <= as_of:
                    period = self._open(self.calendar.period(lot.expires_at - timedelta(microseconds=1)))
                    member.enter("expire", -lot.remaining, lot.expires_at, period, EXPIRY, lot.origin)
                    lot.expired += lot.remaining
                    lot.remaining = 0

    def redeem(self, customer_id: str, points: int, at: datetime) -> str:
        """Spend points at once; the redemption's id. Refused if fewer are available."""
        member, redemption = self._members[customer_id], f"R{len(self._redemptions) + 1}"
        lots = member.spendable(at)
        if points > sum(lot.remaining for lot in lots):
            raise Refused("too few points")
        self._redemptions[redemption] = (member, debit(points, lots))
        member.enter("redeem", -points, at, self._open(self.calendar.period(at)), REDEMPTION, redemption)
        return redemption

    def undo(self, redemption: str, at: datetime) -> None:
        """Give a redemption's points back to their old lots, or with some grace to new ones if passed."""
        member, uses = self._redemptions.pop(redemption)
        points = sum(used for _, used in uses)
        member.enter("undo", points, at, self._open(self.calendar.period(at)), REDEMPTION, redemption)
        for lot, used in uses:
            grace = self.calendar.end_of_day(at, UNDO_GRACE_DAYS)
            passed = at >= (lot.expires_at or NEVER)
            member.credit(used, Lot(lot.origin, used, at, grace, returned=True) if passed else lot)

    # -- closed months as they would be: section 16

    def recompute(self, first: str, last: str, *, now: datetime, post: bool = False) -> list[dict[str, Any]]:
        """Members' closed months in which points or the tier differ from what they would be, had every row been known.

        With `post` the differences of points are posted in the earliest open month. Refused for months not closed.
        """
        if not {first, last} <= self._closes.keys():
            raise Refused("a recompute is of closed months")
        found = [row for _, member in sorted(self._members.items()) for row in self._differences(member, first, last)]
        if post and any(row["points"] for row in found):
            self._expire_lots(min(now, self.calendar.end(self._open(""))))
            for row in found:
                self._post_difference(row, now)
        return found

    def _differences(self, member: Member, first: str, last: str) -> Iterable[dict[str, Any]]:
        for period, (due, had, tier_due) in self._as_if_known(member, last).items():
            before = self._recomputed.get((member.customer_id, period), 0)
            tier_had = self._tier(member, self.calendar.end(period))
            if period >= first and (due - had - before or tier_due != tier_had):
                yield {
                    "customer_id": member.customer_id,
                    "period": period,
                    "points_due": due,
                    "points_had": had,
                    "points_before": before,
                    "points": due - had - before,
                    "tier_had": tier_had,
                    "tier_due": tier_due,
                }

    def _as_if_known(self, member: Member, last: str) -> dict[str, tuple[int, int, str]]:
        """Points due and had, and the tier at the end, of each closed month: played again from the very first one.

        Every row that stands is in the month in which it happened. What managers decided one by one stands where it is
        above the tier then held; a close that approved by itself would have done so here.
        """
        oldest = min(self._closes)
        twins: dict[int, Row] = {}
        for row in sorted((row for row in member.rows if row.stands), key=lambda row: row.sale is not None):
            due_in = max(self.calendar.period(row.what.occurred_at), oldest)
            twins[id(row)] = Row(row.what, due_in, sale=twins[id(row.sale)] if row.sale else None)
        real = {id(twins[id(row)]): row for row in member.rows if row.stands}
        shadow = Member(member.customer_id, rows=[twin for twin in twins.values() if twin.booked <= last])
        tier, months = self._versions[0][1].ladder[0].name, {}
        due_sum = had_sum = Fraction(0)
        for period in sorted(p for p in self._closes if p <= last):
            decided = self._decided_by_close(member, period)
            for twin in shadow.rows:
                rated_at = self._rated_at(real[id(twin)])
                if twin.exact is None and period >= min(twin.booked, self.calendar.period(rated_at)):
                    held = self._highest(period, [tier, *(name for name, at in decided if at <= rated_at)])
                    twin.exact = self._exact_at(real[id(twin)], held)
            tier = self._highest(period, [tier, *(n for n, at in decided if at < self.calendar.end(period))], shadow)
            mine = [twin for twin in shadow.rows if twin.booked == period]
            due = floor(due_sum + self._sum(mine)) - floor(due_sum)
            had_here = self._sum(real[id(twin)] for twin in mine)
            had = floor(had_sum + had_here) - floor(had_sum)
            due_sum, had_sum = due_sum + self._sum(mine), had_sum + had_here
            if not any(at >= self.calendar.end(period) for _, at in decided):
                tier = self._tier_after(shadow, period, tier, due)
            months[period] = (due, had, tier)
        return months

    def _decided_by_close(self, member: Member, period: str) -> list[tuple[str, datetime]]:
        """What managers decided from the period's beginning on, as known when it was closed."""
        start, closed_at = self.calendar.end(shift(period, -1)), self._closes[period][1]
        return [
            (n, at) for customer, n, at in self._decided if customer == member.customer_id and start <= at <= closed_at
        ]

    def _highest(self, period: str, names: list[str], held_by: Member | None = None) -> str:
        """The highest of these tiers; a member whom it raises above the first one named holds it from this period."""
        best = max(names, key=self._rules(period).rank)
        if held_by is not None and best != names[0]:
            self._hold(held_by, period)
        return best

    def _exact_at(self, row: Row, tier: str) -> Fraction:
        """Points of a row, had the member held this tier."""
        rules = self._rules(self.calendar.period((row.sale or row).what.occurred_at))
        return Fraction(self._eligible(row), 100) * rules.rate * rules.ladder[rules.rank(tier)].multiplier

    def _tier_after(self, shadow: Member, period: str, tier: str, points: int) -> str:
        """The tier in which a computed close leaves a member who held `tier` at the end of its period."""
        rules, end = self._rules(period), self.calendar.end(period)
        qualifying, held = self._qualifying(shadow, period), rules.rank(tier)
        due = max((rank for rank, rung in enumerate(rules.ladder) if rung.threshold <= qualifying), default=0)
        reviews, closed_at = self._closes[period]
        above = rules.review_above_points
        review = rules.ladder[due].review or (above is not None and points >= above)
        review = review or self._undecided(shadow.customer_id, period, held, due)
        if due >= held:
            self._hold(shadow, period)
            rejected = any(
                end < self.calendar.later(r["decided_at"], months=rules.review_again_months)
                for r in self._reviews
                if (r["customer_id"], r["tier"], r["state"]) == (shadow.customer_id, rules.ladder[due].name, "rejected")
                and r["decided_at"] <= closed_at
            )
            return tier if review and (reviews == "hold" or rejected) else rules.ladder[due].name
        if rules.downgrade == "step" and shadow.held_until <= end:
            self._hold(shadow, period)
            return rules.ladder[held - 1].name
        return tier

    def _post_difference(self, row: dict[str, Any], now: datetime) -> None:
        member, period, points = self._members[row["customer_id"]], self._open(""), row["points"]
        at = min(now, self.calendar.end(period))
        told = (at, period, RECOMPUTE, row["period"])
        key = (member.customer_id, row["period"])
        self._recomputed[key] = self._recomputed.get(key, 0) + points
        if points > 0:
            months = self._rules(period).expiry_months
            expires_at = None if months is None else self.calendar.end(shift(period, months))
            member.enter("correction", points, *told, expires_at)
            member.credit(points, Lot(period, points, at, expires_at, other=True))
        elif points < 0:
            member.enter("correction", points, *told)
            self._take_from_own(member, period, -points, told)

    # -- what came of it

    def statements(self, period: str) -> list[dict[str, str]]:
        """The rows of `loyalty export statements`, with `review` as it stands now."""
        rows = self._statements[period]
        return [{**row, "review": self._review_state(period, row["customer_id"])} for row in rows]

    def _review_state(self, period: str, customer_id: str) -> str:
        tier = self._proposed.get((period, customer_id))
        mine = [r for r in self._reviews if (r["customer_id"], r["tier"]) == (customer_id, tier)]
        return str(["none", *(review["state"] for review in mine if review["period"] <= period)][-1])

    def entries(self) -> list[dict[str, Any]]:
        """All entries by member, period, time, kind, reference; points are int, instants aware or None."""
        order = ("customer_id", "period", "occurred_at", "kind", "reference", "points")
        rows = [asdict(entry) for member in self._members.values() for entry in member.entries]
        return sorted(rows, key=lambda row: tuple(row[name] for name in order))

    def vouchers(self) -> list[dict[str, Any]]:
        """Every voucher ever issued, archived ones too; `amount` in minor units."""
        return [dict(voucher) for voucher in self._vouchers]

    def gifts(self) -> list[dict[str, Any]]:
        """Every gift to be sent."""
        return [dict(gift) for gift in self._gifts]

    def reviews(self) -> list[dict[str, Any]]:
        """Every review in the order of asking; by whom and why only of those decided."""
        return [dict(review) for review in self._reviews]

    def warnings(self) -> list[tuple[str, str, str]]:
        """(customer_id, period whose close warned, tier at risk)."""
        return list(self._warnings)

    def lots(self, customer_id: str) -> list[dict[str, Any]]:
        """A member's lots in the order of credit."""
        rows = [asdict(lot) for lot in self._members[customer_id].lots]
        return [{name: value for name, value in row.items() if name != "other"} for row in rows]

    def balance(self, customer_id: str) -> int:
        """Available + pending - owed."""
        member = self._members[customer_id]
        return sum(lot.remaining for lot in member.lots) - member.owed

    def tier_history(self, customer_id: str) -> list[tuple[str, datetime]]:
        """(tier, effective at) of each move; the first rung before the first of them."""
        return list(self._members[customer_id].moves)

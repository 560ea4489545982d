"""Real time in plain Python: the oracle of tests/model.py with purchases, refunds and redemptions at the till.

Semantics 1 to 6, 10 and 14 read once more, one member at a time. What a close does besides is the monthly model's.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any, Literal

from tests.model import (
    CLOSE,
    NEVER,
    REDEMPTION,
    UNDO_GRACE_DAYS,
    Lot,
    Member,
    Programme,
    Refused,
    Row,
    Rules,
    Transaction,
    debit,
    shift,
)

TILL = "till"  # what an entry's `source` says
HOLD = timedelta(minutes=15)


class Waits(Exception):
    """The sale that a refund names is not recorded yet."""


@dataclass
class Sum:
    """What real time has rated and posted in a month."""

    exact: Fraction = Fraction(0)
    posted: int = 0


@dataclass
class Redemption:
    """Points spent or held."""

    member: Member
    uses: list[tuple[Lot, int]]
    points: int
    state: Literal["held", "committed", "cancelled", "lapsed"]
    held_until: datetime | None = None


class TillProgramme(Programme):
    """A programme that earns on purchase, and redeems."""

    def __init__(self, zone: str, rules: Rules | list[tuple[str, Rules]]) -> None:
        super().__init__(zone, rules)
        self._sums: dict[str, dict[str, Sum]] = {}
        self._live: set[int] = set()
        self._sold_live: dict[int, datetime] = {}
        self._taken: dict[tuple[str, str, str], int] = {}
        self._sale_lots: dict[int, Lot] = {}
        self._close_lots: dict[tuple[str, str], Lot] = {}
        self._spent: dict[str, Redemption] = {}
        self._returned_in: list[tuple[Lot, str]] = []

    # -- earning: sections 2 and 5

    def purchase(self, new: Transaction, now: datetime) -> int:
        """A sale, as it happens; the points posted for it. Refused with other content than before."""
        key = (new.source, new.transaction_id)
        if key in self._rows:
            return self._again(new)
        if reason := self._refusal(new, now):
            raise Refused(reason)
        row = self._book(new)
        member, period = self._members[new.customer_id], row.booked
        if self._rules(period).earning == "monthly":
            return 0
        self._live.add(id(row))
        self._sold_live[id(row.what)] = available_at = self._after_sale(min(new.occurred_at, now), period)
        points = max(self._add(member, period, self._exact(row), at_least=0), 0)
        if points:
            at = min(new.occurred_at, now)
            lot = Lot(period, points, available_at, self._expires_at(period))
            member.enter("earn", points, at, period, TILL, new.transaction_id, lot.expires_at)
            member.lots.append(lot)
            lot.remaining = points
            self._sale_lots[id(row)] = lot
            self._settle(member)
        return points

    def _after_sale(self, at: datetime, period: str) -> datetime:
        days = self._rules(period).pending_days
        return self.calendar.later(at, days=days) if days else at

    def _spendable_from(self, row: Row) -> datetime:
        """Of what real time posted, so long after its own sale; what reverses a row has that one's words.

        A refund booked to a month before its sale's is that month's and waits for no sale, but counts no later than it.
        """
        sold = row.sale or row
        months = super()._spendable_from(row)
        live = self._sold_live.get(id(sold.what), months)
        return min(months, live) if row.slot < sold.slot else live

    def _again(self, new: Transaction) -> int:
        row = self._rows[new.source, new.transaction_id]
        if row.what != new:
            raise Refused("the same id with other content")
        if id(row) not in self._live:
            return 0
        mine = [
            entry.points
            for entry in self._members[new.customer_id].entries
            if (entry.source, entry.reference) == (TILL, new.transaction_id) and entry.kind in {"earn", "take_back"}
        ]
        return sum(mine)

    def _add(
        self, member: Member, period: str, exact: Fraction, *, at_least: int | None = None, at_most: int | None = None
    ) -> int:
        """What the running floor of all that real time knows gives with so much more."""
        sums = self._sums.setdefault(member.customer_id, {})
        base = self._closed_sum(member)
        known = base + sum((s.exact for s in sums.values()), Fraction(0)) + exact
        points = floor(known) - floor(base) - sum(s.posted for s in sums.values())
        points = points if at_least is None else max(points, at_least)
        points = points if at_most is None else min(points, at_most)
        mine = sums.setdefault(period, Sum())
        mine.exact += exact
        mine.posted += points
        return points

    def _closed_sum(self, member: Member) -> Fraction:
        return self._sum(row for row in member.rows if row.booked <= self._last_closed)

    def _expires_at(self, period: str) -> datetime | None:
        months = self._rules(period).expiry_months
        return None if months is None else self.calendar.end(shift(period, months))

    # -- refunds: section 4

    def refund(self, new: Transaction, now: datetime) -> int:
        """A refund of a sale, as it happens; the points posted for it, below zero."""
        if (new.source, new.transaction_id) in self._rows:
            return self._again(new)
        if reason := self._refusal(new, now):
            raise Refused(reason)
        sale = self._rows.get((new.source, str(new.original)))
        if sale is None:
            raise Waits
        if reason := self._refund_refusal(new):
            raise Refused(reason)
        member = self._members[new.customer_id]
        self._lapse(member, now)
        row = self._book(new)
        known = sale.booked <= self._last_closed or id(sale) in self._live
        if self._rules(row.booked).earning == "monthly" or not known:
            return 0
        self._live.add(id(row))
        points = self._add(member, row.booked, self._exact(row), at_most=0)
        if points:
            self._expire_member(member, now)
            self._take(member, row, sale, -points, now)
        return points

    def _take(self, member: Member, row: Row, sale: Row, points: int, now: datetime) -> None:
        kind = "take_back" if row.slot < row.booked else "earn"
        told = (now, row.booked, TILL, row.what.transaction_id)
        member.enter(kind, -points, *told)
        if kind == "take_back":
            key = (member.customer_id, row.booked, row.slot)
            self._taken[key] = self._taken.get(key, 0) - points
        own = [
            self._sale_lots.get(id(sale)),
            self._close_lots.get((member.customer_id, sale.booked)),
        ]
        self._debit(member, points, told, [lot for lot in own if lot is not None])

    def _debit(self, member: Member, points: int, told: tuple[datetime, str, str, str], own: list[Lot]) -> None:
        """These lots first, what they had expired too; then pending ones, then available ones; later months last."""
        at, period = told[:2]
        back = 0
        for lot in own:
            used, gone = min(points, lot.remaining), min(max(points - lot.remaining, 0), lot.expired)
            lot.remaining -= used
            lot.expired -= gone
            points -= used + gone
            back += gone
        if back:
            member.enter("expiry_reversed", back, *told)
        others = [*member.pending(at), *member.spendable(at)]
        now_first = [lot for lot in others if self._month(lot) <= period] + [
            lot for lot in others if self._month(lot) > period
        ]
        short = points - sum(used for _, used in debit(points, now_first))
        if short and self._rules(period).shortfall == "write_off":
            member.enter("write_off", short, *told)
        else:
            member.owed += short

    def _month(self, lot: Lot) -> str:
        """The month that a lot was credited in."""
        return next((period for returned, period in self._returned_in if returned is lot), lot.origin)

    def _settle(self, member: Member) -> None:
        """Owed and unspent points never stand together."""
        lots = sorted(member.lots, key=lambda lot: lot.expires_at or NEVER)
        member.owed -= sum(used for _, used in debit(member.owed, lots))

    def _expire(self, as_of: datetime, rules: Rules, *, recorded_at: datetime) -> None:
        self.sweep(recorded_at)
        super()._expire(as_of, rules, recorded_at=recorded_at)

    def _expire_member(self, member: Member, at: datetime) -> None:
        others, self._members = self._members, {member.customer_id: member}
        self._expire_lots(at)
        self._members = others

    # -- the close: what real time has posted counts, and later months are evened out

    def _post(self, member: Member, period: str) -> None:
        before = running = self._sum(row for row in member.rows if row.booked < period)
        booked = [row for row in member.rows if row.booked == period]
        for row in booked:
            row.exact = self._exact(row)
        total = running + self._sum(booked)
        posted = sum(e.points for e in member.entries if e.period == period and e.kind in {"earn", "take_back"})
        end = self.calendar.end(period)
        for slot in sorted({row.slot for row in booked if row.slot < period}):
            after = running + self._sum(row for row in booked if row.slot == slot)
            if after > running:
                continue
            due = floor(after) - floor(running) - self._taken.get((member.customer_id, period, slot), 0)
            running = after
            if due < 0:
                posted += due
                member.enter("take_back", due, end, period, CLOSE, slot)
                self._debit(member, -due, (end, period, CLOSE, slot), self._earned_in(member, slot, end))
        self._post_own(member, period, floor(total) - floor(before) - posted)
        sums = self._sums.get(member.customer_id, {})
        for old in [month for month in sums if month <= period]:
            del sums[old]
        self._even_out(member, period, total, sums)
        self._settle(member)

    def _post_own(self, member: Member, period: str, net: int) -> None:
        told = (self.calendar.end(period), period, CLOSE, period)
        if net > 0:
            lot = Lot(period, net, self._available_at(period), self._expires_at(period), remaining=net)
            member.enter("earn", net, *told, lot.expires_at)
            member.lots.append(lot)
            self._close_lots[member.customer_id, period] = lot
        elif net < 0:
            member.enter("earn", net, *told)
            self._debit(member, -net, told, self._earned_in(member, period, told[0]))

    def _even_out(self, member: Member, period: str, base: Fraction, sums: dict[str, Sum]) -> None:
        end, takes = self.calendar.end(period), []
        for later, mine in sorted(sums.items()):
            more = floor(base + mine.exact) - floor(base) - mine.posted
            base += mine.exact
            mine.posted += more
            if more > 0:
                lot = Lot(later, more, self._available_at(period), self._expires_at(later), remaining=more)
                member.enter("earn", more, end, later, CLOSE, later, lot.expires_at)
                member.lots.append(lot)
            elif more < 0:
                takes.append((later, -more))
        for later, points in takes:
            told = (end, later, CLOSE, later)
            member.enter("earn", -points, *told)
            self._debit(member, points, told, self._earned_in(member, later, end))

    def _earned_in(self, member: Member, period: str, at: datetime) -> list[Lot]:
        """The lots that a month's sales went into: pending ones first, the youngest first."""
        lots = [lot for lot in reversed(member.lots) if lot.origin == period and not lot.returned and not lot.other]
        return sorted(lots, key=lambda lot: lot.available_at <= at)

    # -- spending: sections 6 and 10

    def redeem(self, customer_id: str, points: int, at: datetime, *, hold: bool = False) -> str:
        """Spend or hold points; the redemption's id. Refused if fewer are available."""
        if customer_id not in self._members:
            raise Refused("no such member")
        member = self._members[customer_id]
        self._lapse(member, at)
        lots = member.spendable(at)
        if points > sum(lot.remaining for lot in lots):
            raise Refused("too few points")
        number = str(len(self._spent) + 1)
        member.enter("redeem", -points, at, self._open(self.calendar.period(at)), REDEMPTION, number)
        state: Literal["held", "committed"] = "held" if hold else "committed"
        self._spent[number] = Redemption(member, debit(points, lots), points, state, at + HOLD if hold else None)
        return number

    def commit(self, number: str, at: datetime) -> str:
        """Commit a hold that is not over; the state then."""
        spent = self._spent[number]
        if self.state(number, at) == "held":
            spent.state = "committed"
        return self.state(number, at)

    def state(self, number: str, at: datetime) -> str:
        """What a redemption is at an instant."""
        spent = self._spent[number]
        return "lapsed" if spent.state == "held" and at >= (spent.held_until or NEVER) else spent.state

    def cancel(self, number: str, at: datetime) -> str:
        """Undo a redemption; the state then."""
        spent = self._spent[number]
        self._lapse(spent.member, at)
        if spent.state in {"held", "committed"}:
            self._return(number, "cancelled", at)
        return spent.state

    def sweep(self, at: datetime) -> None:
        """Release all holds that are over."""
        for member in self._members.values():
            self._lapse(member, at)

    def _lapse(self, member: Member, at: datetime) -> None:
        over = [
            (spent.held_until or NEVER, int(number))
            for number, spent in self._spent.items()
            if spent.member is member and spent.state == "held" and at >= (spent.held_until or NEVER)
        ]
        for ended, number in sorted(over):
            self._return(str(number), "lapsed", ended)

    def _return(self, number: str, state: Literal["cancelled", "lapsed"], at: datetime) -> None:
        spent = self._spent[number]
        spent.state, period = state, self._open(self.calendar.period(at))
        spent.member.enter("undo", spent.points, at, period, REDEMPTION, number)
        passed = [(lot, used) for lot, used in spent.uses if at >= (lot.expires_at or NEVER)]
        for lot, used in spent.uses:
            lot.remaining += used if (lot, used) not in passed else 0
        if passed:
            last = max((lot for lot, _ in passed), key=spent.member.lots.index)
            points, grace = sum(used for _, used in passed), self.calendar.end_of_day(at, UNDO_GRACE_DAYS)
            lot = Lot(last.origin, points, at, grace, remaining=points, returned=True)
            spent.member.entries[-1] = _lasting(spent.member.entries[-1], grace)
            spent.member.lots.append(lot)
            self._returned_in.append((lot, period))
        self._settle(spent.member)

    # -- what came of it

    def standing(self, customer_id: str, at: datetime) -> tuple[int, int, int]:
        """Available, pending, owed at an instant, whatever has been recorded of it."""
        then = deepcopy(self)
        member = then._members[customer_id]
        then._lapse(member, at)
        then._expire_member(member, at)
        pending = sum(lot.remaining for lot in member.pending(at))
        return sum(lot.remaining for lot in member.lots) - pending, pending, member.owed


def _lasting(entry: Any, until: datetime) -> Any:
    """The entry with the end of the lot that it made: not of what went back to old lots."""
    return replace(entry, expires_at=until)

"""The product itself, driven in the words of tests/model.py, so that one and the same scenario can be played on both.

Every method does what the model's method of that name does, through the ways that a user has: a CSV file is
imported, months are closed, reviews are decided, exports are read. What has no export is read from its table.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from loyalty import clock, monthly
from loyalty.db import approvals, closing, expiry, exports, recompute, reviews, rules_versions, verify
from loyalty.db import programme as programme_set_up
from loyalty.db.engine import connect, transaction
from loyalty.db.imports import import_transactions
from loyalty.rules.periods import display_period, parse_period
from loyalty.rules.programme import Programme as ProgrammeRules
from loyalty.rules.programme import Tier as RulesTier
from loyalty.rules.toml import to_toml
from tests import model

PIECES = sorted(model.PIECES)
HEADER = [
    "source",
    "transaction_id",
    "customer_id",
    "kind",
    "occurred_at",
    "amount",
    "original_transaction_id",
    *PIECES,
]
REASONS = {
    "date before the programme starts": "date out of range",
    "date more than a day ahead": "date out of range",
    "wrong amount": "bad amount",
    "wrong amount: its pieces are more than it": "pieces above the amount",
    "original is a refund": "unknown original",
    "original is another customer's sale": "refund of another customer's sale",
    "same id with other content": "the same id with other content",
    "same id as a row that was rejected": "",
    "the member has moved already": "has moved already",
    "the member no longer qualifies": "no longer qualifies",
}  # what the product says, in the model's words
DIFFERENCE = {"points_due", "points_had", "points_before", "points", "tier_had", "tier_due"}
SQL = {
    "members": "select member_no, customer_id from loyalty.members",
    "vouchers": (
        "select m.customer_id, t.name as tier, v.issued_at as effective_at, v.amount, v.expires_at, v.state"
        " from (select code, member_no, tier_no, amount, issued_at, expires_at, state from loyalty.vouchers"
        " union all select code, member_no, tier_no, amount, issued_at, expires_at, state from loyalty.voucher_archive)"
        " as v join loyalty.members as m using (member_no) join loyalty.tiers as t using (tier_no)"
    ),
    "gifts": (
        "select m.customer_id, t.name as tier, g.earned_at as effective_at, g.gift as item, g.state"
        " from loyalty.gift_dispatches as g join loyalty.members as m using (member_no)"
        " join loyalty.tiers as t using (tier_no)"
    ),
    "reviews": (
        "select r.review_no, m.customer_id, t.name as tier, to_char(r.period, 'YYYY-MM') as period, r.asked_at,"
        " r.due_at, r.state, r.decided_at, r.decided_by, r.note from loyalty.reviews as r"
        " join loyalty.members as m using (member_no) join loyalty.tiers as t using (tier_no)"
    ),
    "moves": (
        "select t.name as tier, h.effective_at from loyalty.tier_history as h"
        " join loyalty.members as m using (member_no) join loyalty.tiers as t using (tier_no)"
        " where m.customer_id = :customer_id order by h.effective_at"
    ),
    "warnings": (
        "select m.customer_id, o.occasion as period, o.facts ->> 'tier' as tier from loyalty.outbox as o"
        " join loyalty.members as m using (member_no) where o.kind = 'tier_at_risk'"
    ),
    "lots": (
        "select to_char(coalesce(o.period, l.period), 'YYYY-MM') as origin, l.points, l.available_at, l.expires_at,"
        " l.remaining, l.expired, l.origin_lot_no is not null as returned"
        " from loyalty.lots as l join loyalty.members as m using (member_no)"
        " left join loyalty.lots as o on l.member_no = o.member_no and l.origin_lot_no = o.lot_no"
        " where m.customer_id = :customer_id order by l.lot_no"
    ),
    "messages": (
        "select m.customer_id, o.kind::text, o.occasion, o.channel,"
        " (coalesce(o.facts, loyalty.message_facts(o.kind, o.occasion, o.member_no)) - 'voucher')::text as facts"
        " from loyalty.outbox as o join loyalty.members as m using (member_no)"
    ),
    "digests": "select period, statements, input_digest, output_digest from loyalty.closes order by period",
    "reports": "select period, kind, revision, numbers::text from loyalty.reports order by period, kind, revision",
}


@dataclass
class Product:
    """The programme in the database that LOYALTY_DATABASE_URL names, with the model's methods."""

    patch: pytest.MonkeyPatch
    folder: Path
    zone: str = "UTC"
    rules: model.Rules | list[tuple[str, model.Rules]] = model.DEFAULT
    batches: int = 2
    notify: bool = True
    _files: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Set the programme up: its zone, the first rules, and the versions after them."""
        self.patch.setenv("LOYALTY_TIME_ZONE", self.zone)
        # the programme clock stands still between two moments of a scenario
        self.patch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: clock._STARTED))
        self.calendar = model.Programme(self.zone).calendar
        versions = self.rules if isinstance(self.rules, list) else [("", self.rules)]
        first, *later = sorted(versions, key=lambda version: version[0])
        file = self.folder / "programme.toml"
        file.write_text(to_toml(rules_of(first[1])), encoding="utf-8")
        self.patch.setenv("LOYALTY_RULES", str(file))
        at = datetime(2015, 1, 1, tzinfo=UTC)
        with connect() as connection:
            programme_set_up.set_up(connection, at=at)
        for period, rules in later:
            with transaction() as connection:
                rules_versions.install(connection, rules_of(rules), from_period=parse_period(period), by="ann", at=at)

    def tell_time(self, now: datetime) -> None:
        """From here on it is this instant."""
        self.patch.setenv("LOYALTY_CLOCK", now.isoformat())

    def record(
        self, transactions: Iterable[model.Transaction], recorded_at: datetime, *, correct: bool = False
    ) -> list[tuple[str, str]]:
        """Import a file of these transactions; (transaction_id, reason) of each row that is rejected for itself."""
        self.tell_time(recorded_at)
        self._files += 1
        file = self.folder / f"transactions-{self._files}.csv"
        file.write_text(written(transactions), encoding="utf-8")
        result = import_transactions(file, correct=correct)
        if result.rejected_path is None:
            return []
        with result.rejected_path.open(encoding="utf-8", newline="") as rejected:
            told = [(row["transaction_id"], row["reason"]) for row in csv.DictReader(rejected)]
        return sorted((number, found) for number, reason in told if (found := REASONS.get(reason, reason)))

    def close(self, period: str, reviews: closing.Reviews = "hold", *, now: datetime, by: str = "backfill") -> str:
        """Close a month, all fifteen steps; 'closed' or 'unchanged'."""
        self.tell_time(now)
        terms = monthly.Terms(batches=self.batches, notify=self.notify, reviews=reviews, decided_by=by)
        return monthly.close_month(parse_period(period), terms)

    def decide(self, customer_id: str, tier_name: str, approve: bool, *, by: str, note: str, now: datetime) -> str:
        """Decide the open review of this member and tier."""
        self.tell_time(now)
        (number,) = [
            review["review_no"]
            for review in self.read("reviews")
            if (review["customer_id"], review["tier"], review["state"]) == (customer_id, tier_name, "open")
        ]
        decide = reviews.approve if approve else reviews.reject
        (decision,) = decide([number], by=by, note=note)
        return decision.state

    def expire(self, as_of: datetime) -> None:
        """Run the daily expiry."""
        self.tell_time(as_of)
        expiry.expire(as_of)

    def recompute(self, first: str, last: str, *, now: datetime, post: bool = False) -> list[dict[str, Any]]:
        """Compute closed months anew and, with `post`, let somebody else approve that the difference is posted."""
        self.tell_time(now)
        found = recompute.recompute(parse_period(first), parse_period(last), by="ann", now=now, most=1000)
        if post and found.approval_no is not None:
            approvals.decide(found.approval_no, approve=True, by="bob")
        customers = {row["member_no"]: row["customer_id"] for row in self.read("members")}
        rows = [
            {
                "customer_id": customers[row.member_no],
                "period": display_period(row.period),
                **{name: value for name, value in asdict(row).items() if name in DIFFERENCE},
            }
            for row in found.members
        ]
        return sorted(rows, key=lambda row: (row["customer_id"], row["period"]))

    def statements(self, period: str) -> list[dict[str, str]]:
        """The rows of the export, as text."""
        return list(csv.DictReader(io.StringIO(self.exported(period))))

    def exported(self, period: str) -> str:
        """The export of a period's statements, to the byte."""
        out = io.BytesIO()
        exports.export_statements(parse_period(period), out)
        return out.getvalue().decode("utf-8")

    def entries(self) -> list[dict[str, Any]]:
        """The rows of the export but for ids and record times, in the model's order."""
        out = io.BytesIO()
        exports.export_entries(out)
        rows = [
            {
                **{name: row[name] for name in ("customer_id", "kind", "period", "source", "reference", "reason")},
                "points": int(row["points"]),
                "occurred_at": datetime.fromisoformat(row["occurred_at"]),
                "expires_at": datetime.fromisoformat(row["expires_at"]) if row["expires_at"] else None,
            }
            for row in csv.DictReader(io.StringIO(out.getvalue().decode("utf-8")))
        ]
        order = ("customer_id", "period", "occurred_at", "kind", "reference", "points")
        return sorted(rows, key=lambda row: tuple(row[name] for name in order))

    def vouchers(self) -> list[dict[str, Any]]:
        """Every voucher, archived ones too, without its code."""
        return self.read("vouchers")

    def gifts(self) -> list[dict[str, Any]]:
        """Every gift to be sent."""
        return self.read("gifts")

    def reviews(self) -> list[dict[str, Any]]:
        """Every review as the model has it."""
        return [_review(row) for row in self.read("reviews")]

    def warnings(self) -> list[tuple[str, str, str]]:
        """(customer_id, period whose close warned, tier at risk)."""
        return [(row["customer_id"], row["period"], row["tier"]) for row in self.read("warnings")]

    def lots(self, customer_id: str) -> list[dict[str, Any]]:
        """A member's lots in the order of credit."""
        return self.read("lots", customer_id=customer_id)

    def tier_history(self, customer_id: str) -> list[tuple[str, datetime]]:
        """(tier, effective at) of each move."""
        return [(row["tier"], row["effective_at"]) for row in self.read("moves", customer_id=customer_id)]

    def wrong(self) -> dict[str, tuple[dict[str, Any], ...]]:
        """What `loyalty verify` finds: the rows of every check that does not hold."""
        return {check.name: check.rows for check in verify.verify() if not check.holds}

    def read(self, name: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of one of the statements above."""
        with connect() as connection:
            return [dict(row) for row in connection.execute(text(SQL[name]), params).mappings()]


def rules_of(rules: model.Rules) -> ProgrammeRules:
    """The model's rules as the product's."""
    return ProgrammeRules(
        currency=rules.currency,
        rate=decimal(rules.rate),
        earning=rules.earning,
        window=rules.window,
        pending_days=rules.pending_days,
        shortfall=rules.shortfall,
        expiry_months=rules.expiry_months,
        qualify=rules.qualify,
        hold_months=rules.hold_months,
        downgrade="one_step" if rules.downgrade == "step" else "never",
        review_above_points=rules.review_above_points,
        review_days=rules.review_days,
        review_overdue=rules.review_overdue,
        review_again_months=rules.review_again_months,
        reward_again_months=rules.reward_again_months,
        voucher_days=rules.voucher_days,
        tiers=tuple(_tier(tier) for tier in rules.ladder),
        **{f"earn_on_{piece}": piece not in rules.exclude for piece in PIECES},
    )


def decimal(exact: Fraction) -> Decimal:
    """A fraction that is a decimal number, as one."""
    made = Decimal(exact.numerator) / Decimal(exact.denominator)
    assert Fraction(made) == exact
    return made


def written(transactions: Iterable[model.Transaction]) -> str:
    """A file for `loyalty import transactions`."""
    text_file = io.StringIO()
    rows: Sequence[Sequence[str]] = [
        [
            row.source,
            row.transaction_id,
            row.customer_id,
            row.kind,
            row.occurred_at.isoformat(),
            major(row.amount),
            row.original or "",
            *(major(row.pieces[piece]) if piece in row.pieces else "" for piece in PIECES),
        ]
        for row in transactions
    ]
    csv.writer(text_file, lineterminator="\n").writerows([HEADER, *rows])
    return text_file.getvalue()


def major(minor: int) -> str:
    """Money in major units."""
    return f"{'-' * (minor < 0)}{abs(minor) // 100}.{abs(minor) % 100:02}"


def _tier(tier: model.Tier) -> RulesTier:
    return RulesTier(
        name=tier.name,
        threshold=tier.threshold,
        multiplier=decimal(tier.multiplier),
        review=tier.review,
        voucher=Decimal(tier.voucher_minor or 0) / 100,
        gift=tier.gift or "",
    )


def _review(row: dict[str, Any]) -> dict[str, Any]:
    known = {name: row[name] for name in ("customer_id", "tier", "period", "asked_at")}
    known |= {"deadline": row["due_at"], "state": "pending" if row["state"] == "open" else row["state"]}
    if row["state"] == "open":
        return known
    lapsed = row["state"] == "lapsed"
    note = "" if lapsed or row["note"].startswith("approved by the backfill of ") else row["note"]
    reason = REASONS.get(row["note"], row["note"]) if lapsed else ""
    return known | {"decided_at": row["decided_at"], "by": row["decided_by"], "note": note, "reason": reason}

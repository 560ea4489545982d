"""Every vector of the semantics that a monthly run touches, from file to exports. They are data, in vectors.toml.

What happens is told line by line, times in the programme's zone where they name no other:

    sale T1 C1 2026-01-10 99.90 tax=0.05       rows wait for the next import
    refund R1 C1 2026-02-10 10.00 of T1        or without `of`: it names no sale
    import 2026-03-02                          the rows come in; a close lets in what has happened
    close 2026-01 approve 2026-06-10           at that time, or an hour after the month's end; `approve` is a backfill's
    close 2026-02..2026-04
    approve C1 Gold 2026-02-14T15:00           or reject
    expire 2026-03-01

`statements` are the rows of the exports of all months, `entries` those of the entries (customer, month, kind, points,
what they are about, and until when they last), `vouchers` all that were issued: customer, tier, from, until, state;
`warnings` who was warned by which month's close of losing which tier.
"""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty.db.imports import import_rates
from loyalty.errors import Refused
from tests.laws.conftest import Databases
from tests.laws.product import Product
from tests.model import Rules, Tier, Transaction, shift

TOLD_OF = ("statements", "entries", "vouchers", "warnings")
VECTORS = tomllib.loads(Path(__file__).with_name("vectors.toml").read_text(encoding="utf-8"))["vector"]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["law"] for vector in VECTORS])
def test_vector(databases: Databases, tmp_path: Path, vector: dict[str, Any]) -> None:
    """What is told happens, and the exports are those of the vector, whole."""
    with databases() as patch:
        product = Product(patch, tmp_path, vector.get("zone", "UTC"), rules(vector.get("rules", {})))
        periods = list(Telling(product).played(vector["told"]))

        assert outcome(product, periods) == {name: lines(vector.get(name, "")) for name in TOLD_OF}
        assert product.wrong() == {}


def test_months_are_closed_in_order_once_and_after_their_end(databases: Databases, tmp_path: Path) -> None:
    """Too early and out of order are refused, with what to do; a closed month, or one before it, is unchanged."""
    with databases() as patch:
        product = Product(patch, tmp_path)
        product.record([Transaction("T1", "C1", utc("2026-01-05"), 1000)], utc("2026-01-06"))
        with pytest.raises(Refused) as early:
            product.close("2026-01", now=utc("2026-01-31T23:59"))
        with pytest.raises(Refused) as order:
            product.close("2026-02", now=utc("2026-04-01"))
        answers = [
            product.close(period, now=utc("2026-06-01")) for period in ("2026-01", "2026-02", "2026-01", "2025-11")
        ]
        with pytest.raises(Refused) as gap:
            product.close("2026-04", now=utc("2026-06-01"))

        assert str(early.value) == "2026-01 has not ended by the programme clock: it can be simulated, not closed"
        assert str(order.value) == "2026-01 is still open: close it before 2026-02"
        assert str(gap.value) == "2026-03 is still open: close it before 2026-04"
        assert answers == ["closed", "closed", "unchanged", "unchanged"]


def test_another_currency_is_converted_once_at_the_rate_of_the_sales_day(databases: Databases, tmp_path: Path) -> None:
    """100.01 at 1.5 is 150.015, half-even 150.02; its refund goes at that rate, whatever the rate is by then; with none
    a sale is rejected.
    """
    with databases() as patch:
        product = Product(patch, tmp_path)
        product.tell_time(utc("2026-02-01"))
        (tmp_path / "rates.csv").write_text(
            "date,currency,rate\n2026-01-10,EUR,1.5\n2026-02-10,EUR,2\n", encoding="utf-8"
        )
        import_rates(tmp_path / "rates.csv")
        bought = "T1,C1,2026-01-10,100.01,sale,EUR,\nT2,C1,2026-01-11,100.01,sale,EUR,\n"
        answers = [imported(product, "2026-02-01", bought)]
        product.close("2026-01", now=utc("2026-02-01"))
        answers.append(imported(product, "2026-03-01", "R1,C1,2026-02-10,50.00,refund,EUR,T1\n"))
        product.close("2026-02", now=utc("2026-03-01"))
        stated = [
            (row["spend"], row["points_earned"]) for month in "12" for row in product.statements(f"2026-0{month}")
        ]

        assert answers == [(1, ["no rate for that day"]), (1, [])]
        assert stated == [("150.02", "15"), ("-75.00", "-8")]
        assert product.wrong() == {}


class Telling:
    """What a vector tells, done with the product line by line."""

    def __init__(self, product: Product) -> None:
        """Begin with no row waiting."""
        self.product = product
        self.waiting: list[Transaction] = []

    def played(self, told: str) -> Iterator[str]:
        """Do it all; the months that it closes, in order."""
        for line in lines(told):
            word, *rest = line.split()
            match word:
                case "sale" | "refund":
                    self.waiting.append(self._row(word, *rest))
                case "import":
                    self._import(self._instant(rest[0]), self.waiting)
                case "close":
                    yield from self._close(*rest)
                case "approve" | "reject":
                    customer, tier, at = rest
                    self.product.decide(customer, tier, word == "approve", by="ann", note="seen", now=self._instant(at))
                case "expire":
                    self.product.expire(self._instant(rest[0]))

    def _row(self, kind: Any, number: str, customer: str, at: str, amount: str, *more: str) -> Transaction:
        pieces = dict(piece.split("=") for piece in more if "=" in piece)
        return Transaction(
            number,
            customer,
            self._instant(at),
            cents(amount),
            kind,
            original=more[more.index("of") + 1] if "of" in more else None,
            pieces={piece: cents(part) for piece, part in pieces.items()},
        )

    def _import(self, at: datetime, rows: list[Transaction]) -> None:
        assert self.product.record(rows, at) == []
        self.waiting = [row for row in self.waiting if row not in rows]

    def _close(self, months: str, *more: str) -> Iterator[str]:
        first, _, last = months.partition("..")
        reviews: Any = "approve" if "approve" in more else "hold"
        period = first
        while period <= (last or first):
            now = self.product.calendar.end(period) + timedelta(hours=1)
            now = self._instant(more[-1]) if more and more[-1] != "approve" else now
            self._import(now, [row for row in self.waiting if row.occurred_at <= now])
            assert self.product.close(period, reviews, now=now, by="ann") == "closed"
            yield period
            period = shift(period, 1)

    def _instant(self, word: str) -> datetime:
        instant = datetime.fromisoformat(word)
        zone = ZoneInfo(self.product.zone)
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)


def outcome(product: Product, periods: list[str]) -> dict[str, list[str]]:
    """The exports as the vectors write them."""
    statements = [" ".join(row.values()) for period in periods for row in product.statements(period)]
    about = ("customer_id", "period", "kind", "points", "reference")
    entries = [" ".join([*(str(row[name]) for name in about), instant(row["expires_at"])]) for row in product.entries()]
    vouchers = [
        f"{row['customer_id']} {row['tier']} {instant(row['effective_at'])} {instant(row['expires_at'])} {row['state']}"
        for row in product.vouchers()
    ]
    warnings = [" ".join(warning) for warning in sorted(product.warnings())]
    return {"statements": statements, "entries": entries, "vouchers": sorted(vouchers), "warnings": warnings}


def imported(product: Product, at: str, rows: str) -> tuple[int, list[str]]:
    """Import rows with currencies: how many were taken, and why the others weren't."""
    from loyalty.db.imports import import_transactions  # noqa: PLC0415

    product.tell_time(utc(at))
    file = product.folder / f"in-{at}.csv"
    header = "transaction_id,customer_id,occurred_at,amount,kind,currency,original_transaction_id\n"
    file.write_text(header + rows, encoding="utf-8")
    result = import_transactions(file)
    told = result.rejected_path.read_text(encoding="utf-8").splitlines()[1:] if result.rejected_path else []
    return result.loaded, [reason for line in told for reason in line.split(",") if "rate" in reason]


def rules(given: dict[str, Any]) -> Rules:
    """The default rules with what a vector changes."""
    changed = dict(given)
    if "exclude" in changed:
        changed["exclude"] = frozenset(changed["exclude"])
    if "expiry_months" in changed:
        changed["expiry_months"] = changed["expiry_months"] or None
    if "ladder" in changed:
        changed["ladder"] = tuple(
            Tier(name, threshold, Fraction(multiplier), review, voucher or None)
            for name, threshold, multiplier, review, voucher in changed["ladder"]
        )
    return Rules(**changed)


def lines(text: str) -> list[str]:
    """The lines that say something, each with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def cents(amount: str) -> int:
    """Major units as minor ones."""
    return int(Fraction(amount) * 100)


def instant(moment: datetime | None) -> str:
    """An instant in UTC, or a dash."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}" if moment else "-"


def utc(word: str) -> datetime:
    """An instant that is written in UTC."""
    return datetime.fromisoformat(word).replace(tzinfo=UTC)

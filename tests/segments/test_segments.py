"""Segments of members against a plain reading of their definitions."""

import csv
import io
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.db import segments
from loyalty.db.engine import connect, transaction
from loyalty.errors import Refused
from loyalty.rules.segments import SEGMENTS
from tests.laws.conftest import Databases, databases
from tests.laws.product import Product
from tests.model import Transaction

__all__ = ["databases"]

AS_OF = datetime(2026, 11, 2, 9, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")
# days ago, minor units, of which so many percent come back
PURCHASES = st.tuples(st.integers(0, 500), st.integers(1, 60_000), st.sampled_from([0, 0, 50, 100]))
HISTORIES = st.lists(st.lists(PURCHASES, min_size=1, max_size=6), min_size=1, max_size=9)
SCORES = ("recency_score", "frequency_score", "monetary_score")

Bought = list[tuple[int, int, int]]


@settings(suppress_health_check=list(HealthCheck), max_examples=max(6, settings().max_examples // 30))
@given(histories=HISTORIES)
def test_segments_are_as_they_are_defined(databases: Databases, histories: list[Bought]) -> None:
    """Law: scores, spend and segments of any members are the model's, however often they are computed."""
    with databases() as patch, tempfile.TemporaryDirectory() as folder:
        shop = Product(patch, Path(folder), ZONE.key)
        rows = [row for number, bought in enumerate(histories) for row in _rows(f"C{number}", bought)]
        assert shop.record(rows, AS_OF + timedelta(days=1)) == []

        first, again = (segments.compute(AS_OF, AS_OF) for _ in range(2))

        assert _found() == _expected(histories)
        counted = _counted(histories)
        assert first.members == again.members == {name: counted[name] for name in SEGMENTS}
        assert again.known == len(histories)


def _rows(customer: str, bought: Bought) -> list[Transaction]:
    rows = []
    for number, (days, amount, back) in enumerate(bought):
        at, sale = AS_OF - timedelta(days=days, minutes=number), f"{customer}-{number}"
        rows.append(Transaction(sale, customer, at, amount))
        if back:
            rows.append(Transaction(f"{sale}-R", customer, at, amount * back // 100, kind="refund", original=sale))
    # what is still to come counts for nothing
    rows.append(Transaction(f"{customer}-late", customer, AS_OF + timedelta(hours=1), 99_999))
    return [row for row in rows if row.amount]


def _expected(histories: list[Bought]) -> dict[str, dict[str, Any]]:
    today = AS_OF.astimezone(ZONE).date()
    found = {f"C{number}": _measured(bought, today) for number, bought in enumerate(histories)}
    active = [one for one in found.values() if one["frequency"]]
    for one in found.values():
        if one["frequency"]:
            one["R"] = _score([-other["days"] for other in active], -one["days"])
            one["F"] = _score([other["frequency"] for other in active], one["frequency"])
            one["M"] = _score([other["monetary"] for other in active], one["monetary"])
    return {name: _stated(one) for name, one in found.items()}


def _measured(bought: Bought, today: date) -> dict[str, Any]:
    moments = [AS_OF - timedelta(days=days, minutes=number) for number, (days, _, _) in enumerate(bought)]
    ago = [(today - moment.astimezone(ZONE).date()).days for moment in moments]
    spend = [amount - (amount * back // 100 if back else 0) for _, amount, back in bought]
    return {
        "purchases": len(bought),
        "days": min(ago),
        "frequency": sum(days <= 365 for days in ago),
        "monetary": sum(net for net, days in zip(spend, ago, strict=True) if days <= 365),
        "R": None,
        "F": None,
        "M": None,
    }


def _score(values: list[int], own: int) -> int:
    return 1 + 5 * sum(value < own for value in values) // len(values)


def _stated(one: dict[str, Any]) -> dict[str, Any]:
    scores = (one["R"], one["F"], one["M"])
    names = {
        "active": one["frequency"] > 0,
        "best": scores == (5, 5, 5),
        "one_time": one["purchases"] == 1 and one["days"] > 30,
        "at_risk": one["R"] is not None and one["R"] <= 2 and one["F"] >= 3,
        "lapsed": one["frequency"] == 0,
    }
    return {
        "purchases": one["purchases"],
        "frequency": one["frequency"],
        "monetary": one["monetary"],
        "scores": scores,
        "segments": " ".join(name for name, holds in names.items() if holds),
    }


def _counted(histories: list[Bought]) -> Counter[str]:
    return Counter(" ".join(one["segments"] for one in _expected(histories).values()).split())


def _found() -> dict[str, dict[str, Any]]:
    out = io.BytesIO()
    segments.export(None, out)
    rows = csv.DictReader(io.StringIO(out.getvalue().decode()))
    return {
        row["customer_id"]: {
            "purchases": int(row["purchases"]),
            "frequency": int(row["frequency"]),
            "monetary": int(row["monetary"].replace(".", "")),
            "scores": tuple(int(row[name]) if row[name] else None for name in SCORES),
            "segments": row["segments"],
        }
        for row in rows
    }


@pytest.fixture
def shop(databases: Databases, tmp_path: Path) -> Iterator[Product]:
    """A shop in a database of its own."""
    with databases() as patch:
        yield Product(patch, tmp_path)


def test_near_a_threshold_is_a_fifth_of_it(shop: Product) -> None:
    """Law: of members whom the last close left below Silver's 120 points, 96 and more are near."""
    january = datetime(2026, 1, 10, tzinfo=UTC)
    bought = {"low": 95_990, "near": 96_000, "nearer": 119_990, "there": 120_000}
    shop.record([Transaction(name, name, january, amount) for name, amount in bought.items()], january)
    shop.close("2026-01", now=datetime(2026, 2, 1, tzinfo=UTC))

    segments.compute(datetime(2026, 2, 2, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC))

    with connect() as connection:
        missing = {row.customer_id: row.points_to_next for row in segments.members(connection, None, most=9)}
        near = {row.customer_id for row in segments.members(connection, "near_threshold", most=9)}
    assert missing == {"low": 25, "near": 24, "nearer": 1, "there": 130}
    assert near == {"near", "nearer"}


def test_a_corrected_sale_is_one_purchase(shop: Product) -> None:
    """Law: a sale that was corrected counts once, with the money of its correction."""
    at = datetime(2026, 1, 10, tzinfo=UTC)
    shop.record([Transaction("T1", "C1", at, 10_000)], at)
    shop.record([Transaction("T1", "C1", at, 4_000)], at, correct=True)

    segments.compute(datetime(2026, 3, 2, tzinfo=UTC), at)

    with connect() as connection:
        [row] = segments.members(connection, "one_time", most=9)
    assert (row.purchases, row.frequency, f"{row.monetary}") == (1, 1, "40.00")


def test_two_at_once_leave_one_computation(shop: Product) -> None:
    """Law: whoever computes at the same time waits, and what stands is one computation, whole."""
    at = datetime(2026, 1, 10, tzinfo=UTC)
    shop.record([Transaction(f"T{n}", f"C{n}", at, 100 * n) for n in range(1, 21)], at)

    with ThreadPoolExecutor(8) as clients:
        counts = list(clients.map(lambda n: segments.compute(datetime(2026, 2, 2 + n % 2, tzinfo=UTC), at), range(8)))

    assert {each.known for each in counts} == {20}
    with connect() as connection:
        rows = segments.members(connection, None, most=99)
    assert (len(rows), len({row.as_of for row in rows})) == (20, 1)


def test_before_the_first_time_it_is_said(shop: Product) -> None:
    """Law: asked for segments that nobody computed, the product says what to do."""
    with transaction() as connection, pytest.raises(Refused, match="run `loyalty segments compute`"):
        segments.standing(connection)

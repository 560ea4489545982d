"""`loyalty member`: what is there, as of any instant, and why."""

import json
from typing import Any

from tests.cli.conftest import Loyalty


def _member(loyalty: Loyalty, *arguments: str) -> dict[str, Any]:
    done = loyalty("member", *arguments, "--json")
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    return found


def _picked(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: found[name] for name in names}


def test_a_member_is_shown_whole(two_months: Loyalty) -> None:
    """Law: tier, balance and its parts, the newest statement as it is exported, and every lot."""
    ann = _member(two_months, "ann")
    balance = ("customer_id", "tier", "held_until", "balance", "available", "pending", "owed", "qualifying_points")
    assert _picked(ann, *balance) == {
        "customer_id": "ann",
        "tier": "Bronze",
        "held_until": None,
        "balance": 20,
        "available": 20,
        "pending": 0,
        "owed": 0,
        "qualifying_points": 20,
    }
    assert ann["statement"] == {
        "period": "2026-02",
        "customer_id": "ann",
        "opening_balance": 30,
        "transactions": 1,
        "spend": "-100.00",
        "points_earned": -10,
        "points_redeemed": 0,
        "points_expired": 0,
        "points_adjusted": 0,
        "closing_balance": 20,
        "qualifying_points": 20,
        "tier_before": "Bronze",
        "tier_after": "Bronze",
        "review": "none",
    }
    lot = _picked(ann["lots"][0], "period", "points", "used", "expired", "remaining", "state", "expires_at")
    assert lot == {
        "period": "2026-01",
        "points": 30,
        "used": 10,
        "expired": 0,
        "remaining": 20,
        "state": "available",
        "expires_at": "2027-02-01T00:00:00Z",
    }


def test_as_of_is_any_instant(two_months: Loyalty) -> None:
    """Law: the past is as it was, and points are gone at their instant, whatever the daily job has done."""
    states = {
        instant: tuple(_picked(_member(two_months, "ann", "--as-of", instant), "balance", "available").values())
        for instant in ("2026-01-31", "2026-02-01", "2026-03-01", "2027-01-31T23:59:59Z", "2027-02-01T00:00:00Z")
    }
    assert states == {
        "2026-01-31": (0, 0),
        "2026-02-01": (30, 30),
        "2026-03-01": (20, 20),
        "2027-01-31T23:59:59Z": (20, 20),
        "2027-02-01T00:00:00Z": (0, 0),
    }


def test_why_traces_every_point(two_months: Loyalty) -> None:
    """Law: each entry names its transactions with rate, tier and version, its exact sums, and the lots it used."""
    ann = _member(two_months, "ann", "--why")
    earned, taken = ann["why"]["causes"]
    assert _picked(earned["entry"], "kind", "points", "period") == {"kind": "earn", "points": 30, "period": "2026-01"}
    what = (
        "transaction_id",
        "kind",
        "amount",
        "eligible",
        "rate",
        "multiplier",
        "tier",
        "rules_version",
        "exact_points",
    )
    assert [_picked(row, *what) for row in earned["transactions"]] == [
        {
            "transaction_id": "T1",
            "kind": "sale",
            "amount": "300.00",
            "eligible": "300.00",
            "rate": "0.1",
            "multiplier": "1",
            "tier": "Bronze",
            "rules_version": 1,
            "exact_points": "30",
        }
    ]
    lot = earned["entry"]["entry_id"]
    assert earned["taken_by"] == [{"entry_id": taken["entry"]["entry_id"], "kind": "take_back", "points": 10}]
    assert _picked(taken["entry"], "kind", "points", "reference") == {
        "kind": "take_back",
        "points": -10,
        "reference": "2026-01",
    }
    assert [(row["transaction_id"], row["sale"]) for row in taken["transactions"]] == [("T2", "T1")]
    assert [(use["lot_no"], use["points"]) for use in taken["uses"]] == [(lot, 10)]
    told = two_months("member", "ann", "--why").out
    assert "+30 earned" in told
    assert "-10 taken back for refunds of sales of 2026-01" in told


def test_why_keeps_account_of_fractions(two_months: Loyalty) -> None:
    """Law: a sale that posted no whole point is shown with what it carried on, one not rated yet as waiting."""
    cyd = _member(two_months, "cyd", "--why")["why"]
    assert cyd["causes"] == []
    january = cyd["months"][0]
    assert _picked(january, "period", "exact_before", "points_earned") == {
        "period": "2026-01",
        "exact_before": "0",
        "points_earned": 0,
    }
    assert float(january["exact_after"]) == 0.095
    assert [row["transaction_id"] for row in cyd["waiting"]] == ["T5"]
    told = two_months("member", "cyd", "--why").out
    assert "2026-01: no whole point, carried on to exactly 0.095" in told
    assert "not rated yet, in months still open: 1 transactions" in told


def test_an_unknown_member_is_one_line(two_months: Loyalty) -> None:
    """Law: nobody of that id is exit 1 and one line, which repeats nothing: an id may be somebody's address."""
    done = two_months("member", "zoe@example.com")
    assert (done.code, done.out, done.err) == (1, "", "loyalty: there is no member with this customer_id\n")

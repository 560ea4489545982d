"""What is counted of the till: points, by what moved them."""

import re
from pathlib import Path

import httpx
from sqlalchemy import URL

from tests.api.conftest import Server, started

POINTS = re.compile(r'^loyalty_points_posted_total\{kind="(\w+)"\} (\S+)$', re.MULTILINE)


def test_points_are_counted_by_what_moved_them(own_database: URL, tmp_path: Path) -> None:
    """Law: sales, refunds (early ones with their sale), redemptions and undoing count once each, repeats never."""
    with started(own_database, tmp_path) as server, server.caller() as till:
        for _ in range(2):
            _sell(till)

        assert _counted(server) == {"purchase": 300.0, "refund": 50.0, "redemption": 70.0, "undo": 30.0}


def _sell(till: httpx.Client) -> None:
    """Two sales, of which one is refunded before it comes and the other after; points spent, held and given back."""
    early = {"transaction_id": "R1", "original_transaction_id": "T1", "amount": "200.00"}
    till.post("/v1/refunds", json=early)
    for name, amount in (("T1", "1000.00"), ("T2", "2000.00")):
        till.post("/v1/purchases", json={"transaction_id": name, "customer_id": "C1", "amount": amount})
    late = {"transaction_id": "R2", "original_transaction_id": "T2", "amount": "300.00"}
    till.post("/v1/refunds", json=late)
    for points, hold in ((40, False), (30, True)):
        spent = till.post(
            "/v1/redemptions",
            json={"customer_id": "C1", "points": points, "hold": hold},
            headers={"Idempotency-Key": f"spend-{points}"},
        )
    till.post(f"/v1/redemptions/{spent.json()['redemption_id']}/cancel")


def _counted(server: Server) -> dict[str, float]:
    told = httpx.get(f"{server.url}/metrics").text
    return {kind: float(points) for kind, points in POINTS.findall(told)}

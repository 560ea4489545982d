"""What came by HTTP too early, and the files that bring what it waits for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loyalty.cli import run
from tests.api.http_till import HttpTill, Line, serving
from tests.laws.conftest import Databases, databases
from tests.model import DEFAULT
from tests.till.till_product import install_keys

__all__ = ["databases"]

NOON = datetime.fromisoformat("2026-03-03T12:00:00+00:00")
LATER = NOON + timedelta(days=1)
FREED = "loyalty: events that had waited for this: {} applied, {} waiting, 0 dead, 0 held\n"
SALES = "transaction_id,customer_id,occurred_at,amount\n"


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    """A line to a server that all tests here share."""
    with serving() as made:
        yield made


@dataclass
class Desk:
    """A shop's tills on a line, and the command that loads its files."""

    product: HttpTill
    folder: Path
    output: pytest.CaptureFixture[str]

    def send(self, what: str, at: datetime, **told: Any) -> tuple[int, Any]:
        """Tell of something; status and answer."""
        self.product.tell_time(at)
        answer = self.product.line.client.post(f"/v1/{what}", json=told, headers=self.product._caller())
        return answer.status_code, answer.json()

    def load(self, kind: str, rows: str, at: datetime) -> str:
        """Load a file by the command; what it remarks."""
        self.product.tell_time(at)
        file = self.folder / f"{kind}.csv"
        file.write_text(rows)
        assert run(["import", kind, str(file)]) == 0
        lines = self.output.readouterr().err.splitlines(keepends=True)
        return "".join(each for each in lines if each.startswith("loyalty: "))  # the server logs there too


@pytest.fixture
def desk(
    line: Line, databases: Databases, tmp_path: Path, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> Iterator[Desk]:
    """A shop with the keys of the rules that the test's parameter has."""
    with databases() as patch:
        product = HttpTill(patch, tmp_path, rules=DEFAULT, line=line)
        install_keys(DEFAULT, request.param)
        yield Desk(product, tmp_path, capfd)


def _posted(name: str, points: int, balance: int) -> dict[str, Any]:
    return {"transaction_id": name, "points_posted": points, "balance": balance, "tier": "Bronze"}


@pytest.mark.parametrize("desk", [{"earning": "monthly"}], indirect=True)
def test_a_sale_of_a_file_applies_its_refunds(desk: Desk) -> None:
    """Law (4): a refund told before its sale is applied by the file that brings it, and the month's close nets it."""
    refund = {"transaction_id": "R1", "original_transaction_id": "T1", "amount": "30.00"}
    assert desk.send("refunds", NOON, **refund)[0] == 202
    assert desk.load("transactions", f"{SALES}T2,C1,2026-03-02T10:00:00Z,10.00\n", LATER) == ""
    rows = f"{SALES}T1,C1,2026-03-02T10:00:00Z,100.00\n"
    assert desk.load("transactions", rows, LATER) == FREED.format(1, 0)
    assert desk.load("transactions", rows, LATER) == ""
    assert desk.send("refunds", LATER, **refund) == (200, _posted("R1", 0, 0))

    desk.product.close("2026-03", now=NOON + timedelta(days=40))
    [statement] = desk.product.statements("2026-03")
    assert {name: statement[name] for name in ("transactions", "spend", "points_earned")} == {
        "transactions": "3",
        "spend": "80.00",
        "points_earned": "8",
    }
    assert desk.product.wrong() == {}


@pytest.mark.parametrize("desk", [{"earning": "on_purchase"}], indirect=True)
def test_a_rate_of_a_file_applies_what_waits_for_it(desk: Desk) -> None:
    """Law: a file of rates applies the purchases of its days and currencies, with their refunds, and no other."""
    sale = {"transaction_id": "T1", "customer_id": "C1", "amount": "100.00", "currency": "CHF"}
    assert desk.send("purchases", NOON, **sale)[0] == 202
    assert desk.send("refunds", NOON, transaction_id="R1", original_transaction_id="T1", amount="40.00")[0] == 202
    other = "date,currency,rate\n2026-03-02,CHF,3\n2026-03-03,EUR,3\n"
    assert desk.load("rates", other, LATER) == ""
    assert desk.load("rates", "date,currency,rate\n2026-03-03,CHF,2\n", LATER) == FREED.format(1, 0)
    assert desk.send("purchases", LATER, **sale) == (200, _posted("T1", 20, 12))
    assert desk.product.wrong() == {}


@pytest.mark.parametrize("desk", [{"earning": "on_purchase", "enrolment": "registration"}], indirect=True)
def test_a_customer_of_a_file_has_what_waited(desk: Desk) -> None:
    """Law: a file that enrols a customer, of members or of sales, applies what waited; what lacks more waits on."""
    for number, customer, currency in (("T1", "C1", "USD"), ("T2", "C2", "USD"), ("T3", "C2", "CHF")):
        told = {"transaction_id": number, "customer_id": customer, "amount": "100.00", "currency": currency}
        assert desk.send("purchases", NOON, **told)[0] == 202
    assert desk.load("members", "customer_id\nC1\n", LATER) == FREED.format(1, 0)
    rows = f"{SALES}F1,C2,2026-03-02T10:00:00Z,100.00\n"
    assert desk.load("transactions", rows, LATER) == FREED.format(1, 1)
    assert desk.load("rates", "date,currency,rate\n2026-03-03,CHF,2\n", LATER) == FREED.format(1, 0)
    assert [desk.product.standing(each, LATER)[0] for each in ("C1", "C2")] == [10, 30]
    assert desk.product.wrong() == {}

"""The product with its tills, driven in the words of tests/till_model.py."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from loyalty.db import accrual, redemptions, rules_versions
from loyalty.db.engine import connect, transaction
from loyalty.db.statements import run
from loyalty.errors import BadInput, OtherContent, Refused, Waits
from tests import till_model
from tests.laws.product import REASONS, SQL, Product, major, rules_of
from tests.model import Refused as ModelRefused
from tests.model import Rules, Transaction

TOLD = {
    "/occurred_at: more than a day ahead": "date out of range",
    "/occurred_at: before the programme starts": "date out of range",
    "the original transaction is a refund": "unknown original",
    "the original transaction is another customer's": "refund of another customer's sale",
    "more would be refunded than was paid": "refund above its sale",
    "the same transaction_id was recorded with other content": "the same id with other content",
    "there is no member with this customer_id": "no such member",
    "the member is erased": "erased",
    **{f"the redemption is {state}: hold the points again": state for state in ("cancelled", "lapsed")},
    **REASONS,
}  # what the product says, in the model's words
SQL["member_no"] = "select member_no from loyalty.members where customer_id = :customer_id"


def install_keys(rules: Rules, keys: dict[str, Any]) -> None:
    """Put rules in force since the beginning that have these other keys of the rules file."""
    with transaction() as connection:
        rules_versions.install(
            connection,
            rules_of(rules).model_copy(update=keys),
            from_period=None,
            by="ann",
            at=datetime(2015, 1, 2, tzinfo=UTC),
        )


class TillProduct(Product):
    """A programme in a database, with its tills."""

    def purchase(self, new: Transaction, now: datetime) -> int:
        """A sale, as it happens; the points posted for it."""
        pieces: dict[str, Any] = {piece: Decimal(major(part)) for piece, part in new.pieces.items()}
        told = accrual.Purchase(
            transaction_id=new.transaction_id,
            customer_id=new.customer_id,
            amount=Decimal(major(new.amount)),
            occurred_at=new.occurred_at,
            source=new.source,
            **pieces,
        )
        return self._done(lambda c: accrual.record_purchase(c, told, now).points_posted)

    def refund(self, new: Transaction, now: datetime) -> int:
        """A refund of a sale, as it happens; the points posted for it, below zero."""
        told = accrual.Refund(
            transaction_id=new.transaction_id,
            original_transaction_id=str(new.original),
            customer_id=new.customer_id,
            amount=Decimal(major(new.amount)),
            occurred_at=new.occurred_at,
            source=new.source,
        )
        return self._done(lambda c: accrual.record_refund(c, told, now).points_posted)

    def redeem(self, customer_id: str, points: int, at: datetime, *, hold: bool = False) -> str:
        """Spend or hold points; the redemption's id."""
        spend = redemptions.hold if hold else redemptions.redeem
        return self._done(lambda c: spend(c, customer_id, points, at).redemption_id)

    def commit(self, number: str, at: datetime) -> str:
        """Commit a hold that is not over; the state then."""
        try:
            return self._done(lambda c: redemptions.commit(c, number, at).state)
        except ModelRefused:
            return self.state(number, at)

    def state(self, number: str, at: datetime) -> str:
        """What a redemption is at an instant."""
        return self._done(lambda c: redemptions.find(c, number, at).state)

    def cancel(self, number: str, at: datetime) -> str:
        """Undo a redemption; the state then."""
        return self._done(lambda c: redemptions.cancel(c, number, at).state)

    def sweep(self, at: datetime) -> None:
        """Release all holds that are over."""
        self._done(lambda c: redemptions.sweep(c, at))

    def standing(self, customer_id: str, at: datetime) -> tuple[int, int, int]:
        """Available, pending, owed at an instant."""
        (member,) = self.read("member_no", customer_id=customer_id)
        with connect() as connection:
            found = run(connection, "till/standing", member_no=member["member_no"], at=at).one()
        return found.available, found.pending, found.owed

    def _done(self, work: Any) -> Any:
        try:
            with transaction() as connection:
                return work(connection)
        except Waits as error:
            raise till_model.Waits from error
        except OtherContent as error:
            raise ModelRefused(TOLD[str(error)]) from error
        except (Refused, BadInput) as error:
            said = str(error)
            raise ModelRefused("too few points" if said.startswith("too few") else TOLD[said]) from error

"""The vectors of the semantics, and the laws that follow from them, held against the model itself."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model import DEFAULT, Programme, Refused, Rules, Tier, Transaction, shift

FOREVER = replace(DEFAULT, expiry_months=None)


def at(text: str) -> datetime:
    """An instant from ISO 8601, in UTC where the text names no zone."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def sale(number: str, when: str, amount: str, customer: str = "C1", **pieces: int) -> Transaction:
    return Transaction(number, customer, at(when), int(Fraction(amount) * 100), pieces=pieces)


def refund(number: str, when: str, amount: str, original: str | None, customer: str = "C1") -> Transaction:
    cents = int(Fraction(amount) * 100)
    return Transaction(number, customer, at(when), cents, kind="refund", original=original)


def take(programme: Programme, *transactions: Transaction) -> list[tuple[str, str]]:
    """Record in one import on the last day of the month of the latest of them."""
    return programme.record(transactions, max(row.occurred_at for row in transactions) + timedelta(hours=1))


def close(programme: Programme, first: str, last: str | None = None, reviews: str = "hold") -> None:
    """Close months in turn, each an hour after its end."""
    period = first
    while period <= (last or first):
        now = programme.calendar.end(period) + timedelta(hours=1)
        programme.close(period, reviews, now=now, by="ann")
        period = shift(period, 1)


def posted(programme: Programme, *kinds: str) -> list[tuple[str, str, int]]:
    """(period, kind, points) of the entries, only of these kinds if any are named."""
    entries = [(entry["period"], entry["kind"], entry["points"]) for entry in programme.entries()]
    return [entry for entry in entries if not kinds or entry[1] in kinds]


def stated(programme: Programme, period: str, *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[column] for column in columns) for row in programme.statements(period)]


# -- section 1: periods


def test_a_purchase_belongs_to_the_month_of_the_programmes_zone() -> None:
    """23:30 on New Year's Eve in New York is December there, although it is January in UTC."""
    programme = Programme("America/New_York")
    take(programme, sale("T1", "2017-12-31T23:30-05:00", "10.00"))
    close(programme, "2017-12")

    assert stated(programme, "2017-12", "customer_id", "transactions", "spend") == [("C1", "1", "10.00")]


def test_a_late_row_is_booked_to_the_earliest_open_month() -> None:
    """With January and February closed, a purchase of 20 January that arrives in March is March's."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-05T12:00", "10.00"))
    close(programme, "2026-01", "2026-02")
    programme.record([sale("T2", "2026-01-20T12:00", "30.00")], at("2026-03-02T09:00"))
    close(programme, "2026-03")

    assert posted(programme) == [("2026-01", "earn", 1), ("2026-03", "earn", 3)]


def test_months_are_closed_in_order_once_and_after_their_end() -> None:
    """Out of order and too early are refused, a closed month stays unchanged, empty ones take their turn."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-05T12:00", "10.00"))
    with pytest.raises(Refused) as early:
        programme.close("2026-01", now=at("2026-01-31T23:59"))
    with pytest.raises(Refused) as order:
        programme.close("2026-02", now=at("2026-04-01"))
    close(programme, "2026-01", "2026-02")
    with pytest.raises(Refused) as gap:
        programme.close("2026-04", now=at("2026-06-01"))

    assert str(early.value) == "2026-01 has not ended"
    assert str(order.value) == "2026-01 is still open: close it first"
    assert str(gap.value) == "2026-03 is still open: close it first"
    assert programme.close("2026-01", now=at("2026-04-01")) == "unchanged"
    assert programme.close("2025-11", now=at("2026-04-01")) == "unchanged"


def test_a_month_begins_where_its_first_day_does_also_when_clocks_change_at_midnight() -> None:
    """Asunción had no midnight on 1 October 2017; Havana had two first hours on 1 November 2020."""
    asuncion, havana = Programme("America/Asuncion").calendar, Programme("America/Havana").calendar

    assert asuncion.end("2017-09") == at("2017-10-01T04:00")
    assert havana.end("2020-10") == at("2020-11-01T04:00")


# -- section 2: points from money


def test_fractions_are_carried_from_month_to_month() -> None:
    """99.90 in each of three months posts 9, 10, 10."""
    programme = Programme("UTC")
    take(programme, *(sale(f"T{month}", f"2026-0{month}-10", "99.90") for month in (1, 2, 3)))
    close(programme, "2026-01", "2026-03")

    assert posted(programme) == [("2026-01", "earn", 9), ("2026-02", "earn", 10), ("2026-03", "earn", 10)]


def test_the_tiers_multiplier_counts_and_its_fraction_is_carried() -> None:
    """A Gold member's 99.90 is exactly 12.4875 and posts 12; 0.10 more makes 12.5 and posts nothing."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "2500.00"))
    take(programme, sale("T2", "2026-02-10", "99.90"), sale("T3", "2026-03-10", "0.10"))
    close(programme, "2026-01", "2026-03", reviews="approve")

    assert posted(programme) == [("2026-01", "earn", 250), ("2026-02", "earn", 12)]


def test_an_approved_tier_counts_from_the_decision() -> None:
    """Gold approved on 15 November: 100.00 on the 10th and 100.00 on the 20th earn 10 + 12.5 = 22."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-10-10", "2500.00"))
    close(programme, "2026-10")
    outcome = programme.decide("C1", "Gold", True, by="ann", note="", now=at("2026-11-14T15:00"))
    take(programme, sale("T2", "2026-11-10", "100.00"), sale("T3", "2026-11-20", "100.00"))
    close(programme, "2026-11")

    assert outcome == "approved"
    assert posted(programme) == [("2026-10", "earn", 250), ("2026-11", "earn", 22)]


@pytest.mark.parametrize("parts", [["10.00"], ["1.00", "5.00", "4.00"], ["4.00", "1.00", "5.00"]])
def test_partial_refunds_end_where_one_refund_does(parts: list[str]) -> None:
    """10.00 bought and refunded in any parts, in one month or over several, ends at 0."""
    for months_later in (0, 1):
        programme = Programme("UTC")
        take(programme, sale("T1", "2026-01-10", "10.00"))
        for number, part in enumerate(parts):
            month = shift("2026-01", number * months_later)
            take(programme, refund(f"R{number}", f"{month}-20", part, "T1"))
        close(programme, "2026-01", "2026-03")

        assert programme.balance("C1") == 0
        assert stated(programme, "2026-03", "closing_balance", "qualifying_points") in ([], [("0", "0")])


def test_what_counts_is_the_sum_and_not_how_it_came() -> None:
    """Three times 3.35 posts 1; October's 99.90 and a late 0.10 post 10, and November's 0.10 nothing."""
    thirds, late = Programme("UTC"), Programme("UTC")
    take(thirds, *(sale(f"T{n}", "2026-01-10", "3.35") for n in range(3)))
    close(thirds, "2026-01")
    take(late, sale("T1", "2026-10-10", "99.90"))
    take(late, sale("T2", "2026-11-01", "0.10"))
    late.record([sale("T3", "2026-10-30", "0.10")], at("2026-11-02"))
    close(late, "2026-10", "2026-11")

    assert posted(thirds) == [("2026-01", "earn", 1)]
    assert posted(late) == [("2026-10", "earn", 10)]


def test_a_sale_is_rated_by_the_rules_in_force_when_it_occurred() -> None:
    """A rate doubled from March leaves a late January purchase, and its refund in March, at the old one."""
    programme = Programme("UTC", [("2026-01", DEFAULT), ("2026-03", replace(DEFAULT, rate=Fraction(1, 5)))])
    close(programme, "2026-01", "2026-02")
    late = [sale("T1", "2026-01-20", "100.00"), refund("R1", "2026-03-05", "40.00", "T1")]
    programme.record([*late, sale("T2", "2026-03-01", "100.00")], at("2026-03-06"))
    close(programme, "2026-03")

    assert posted(programme) == [("2026-03", "earn", 26)]


# -- section 3: what money counts


def test_a_refunds_eligible_part_is_half_even_and_telescopes() -> None:
    """Of 10.00 with 0.05 of tax, refunds of 1.00, 5.00 and 4.00 count 1.00 (0.995), 4.97 and 3.98."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "10.00", tax=5))
    for month, part in (("02", "1.00"), ("03", "5.00"), ("04", "4.00")):
        take(programme, refund(f"R{month}", f"2026-{month}-10", part, "T1"))
    close(programme, "2026-01", "2026-04")
    spend = [row for month in "1234" for row in stated(programme, f"2026-0{month}", "spend")]

    assert spend == [("9.95",), ("-1.00",), ("-4.97",), ("-3.98",)]


def test_each_piece_is_a_switch() -> None:
    """Where only tax is left out, shipping counts; the default leaves out both."""
    rows = [sale("T1", "2026-01-10", "100.00", tax=1000, shipping=2000)]
    spend = []
    for exclude in (DEFAULT.exclude, frozenset({"tax"}), frozenset[str]()):
        programme = Programme("UTC", replace(DEFAULT, exclude=exclude))
        take(programme, *rows)
        close(programme, "2026-01")
        spend += stated(programme, "2026-01", "spend", "points_earned")

    assert spend == [("70.00", "7"), ("90.00", "9"), ("100.00", "10")]


def test_the_last_thirty_days_change_what_is_reported_and_not_what_is_earned() -> None:
    """In a run of March, 1 March is outside the last thirty days; its points are posted all the same."""
    programme = Programme("UTC", replace(DEFAULT, window="last_30_days"))
    take(programme, sale("T1", "2026-01-31", "10.00"), sale("T2", "2026-02-10", "20.00"))
    take(programme, sale("T3", "2026-03-01", "40.00"), sale("T4", "2026-03-02", "80.00"))
    close(programme, "2026-01", "2026-03")

    assert stated(programme, "2026-02", "spend", "points_earned") == [("30.00", "2")]
    assert stated(programme, "2026-03", "spend", "points_earned") == [("80.00", "12")]


def test_a_sale_of_nothing_is_a_transaction() -> None:
    """0.00 enrols the member and is counted, and posts nothing."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "0.00"))
    close(programme, "2026-01")

    assert stated(programme, "2026-01", "transactions", "spend", "points_earned") == [("1", "0.00", "0")]
    assert posted(programme) == []


# -- section 4: refunds


def test_a_take_back_comes_before_the_periods_own_net_and_from_the_sales_lot() -> None:
    """January exact 12.60; February sells 5.00 and refunds 3.00 exact of January: -3, then 5, closing 14."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "126.00"))
    close(programme, "2026-01")
    take(programme, sale("T2", "2026-02-10", "50.00"), refund("R1", "2026-02-11", "30.00", "T1"))
    close(programme, "2026-02")
    entries = [e for e in programme.entries() if e["period"] == "2026-02"]

    assert [(e["kind"], e["points"], e["reference"]) for e in entries] == [
        ("earn", 5, "2026-02"),
        ("take_back", -3, "2026-01"),
    ]
    assert [(lot["origin"], lot["remaining"]) for lot in programme.lots("C1")] == [
        ("2026-01", 9),
        ("2026-02", 5),
    ]
    assert stated(programme, "2026-02", "points_earned", "closing_balance") == [("2", "14")]


@pytest.mark.parametrize(("shortfall", "balances", "adjusted"), [("owe", [-50, 30], "0"), ("write_off", [0, 80], "50")])
def test_a_refund_of_spent_points_is_owed_or_written_off(shortfall: Any, balances: list[int], adjusted: str) -> None:
    """Earn 50, spend 50, refund the sale: -50 and after 80 more 30, or 0 and then 80."""
    programme = Programme("UTC", replace(DEFAULT, shortfall=shortfall))
    take(programme, sale("T1", "2026-01-10", "500.00"))
    close(programme, "2026-01")
    programme.redeem("C1", 50, at("2026-02-05"))
    take(programme, refund("R1", "2026-02-10", "500.00", "T1"))
    close(programme, "2026-02")
    after_refund = programme.balance("C1")
    take(programme, sale("T2", "2026-03-10", "800.00"))
    close(programme, "2026-03")

    assert [after_refund, programme.balance("C1")] == balances
    assert [lot["remaining"] for lot in programme.lots("C1")] == [0, balances[1]]
    assert stated(programme, "2026-02", "points_earned", "points_redeemed", "points_adjusted") == [
        ("-50", "50", adjusted)
    ]


def test_what_a_lot_lost_by_expiry_is_not_taken_again() -> None:
    """Of a lot of 100, 30 were spent and 70 expired: a refund of 80 reverses 70 and takes 10 elsewhere."""
    programme = Programme("UTC", replace(DEFAULT, expiry_months=1))
    take(programme, sale("T1", "2026-01-10", "1000.00"))
    close(programme, "2026-01")
    programme.redeem("C1", 30, at("2026-02-05"))
    take(programme, sale("T2", "2026-02-10", "400.00"))
    close(programme, "2026-02")
    take(programme, refund("R1", "2026-03-10", "800.00", "T1"))
    close(programme, "2026-03", "2026-03")

    assert posted(programme) == [
        ("2026-01", "earn", 100),
        ("2026-02", "redeem", -30),
        ("2026-02", "earn", 40),
        ("2026-02", "expire", -70),
        ("2026-03", "expire", -40),
        ("2026-03", "expiry_reversed", 70),
        ("2026-03", "take_back", -80),
    ]
    assert programme.balance("C1") == -10
    assert stated(programme, "2026-03", "points_earned", "points_expired", "points_adjusted") == [("-80", "40", "70")]


def test_refunds_of_several_months_are_taken_back_the_oldest_first() -> None:
    """Each take-back is a difference of the running floor: 12.60 + 5.50 less 0.50 and 0.40 posts -1 and 0."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "126.00"), sale("T2", "2026-02-10", "55.00"))
    close(programme, "2026-01", "2026-02")
    take(programme, refund("R2", "2026-03-01", "4.00", "T2"), refund("R1", "2026-03-02", "5.00", "T1"))
    close(programme, "2026-03")

    taken = [(e["points"], e["reference"]) for e in programme.entries() if e["period"] == "2026-03"]

    assert posted(programme, "earn") == [("2026-01", "earn", 12), ("2026-02", "earn", 6)]
    assert taken == [(-1, "2026-01")]


def test_a_debit_takes_the_sales_own_lot_then_the_youngest_pending_then_the_available() -> None:
    """A refund of February's sale leaves January's lot alone; a debit without a sale leaves December's."""
    own, other = Programme("UTC"), Programme("UTC", replace(DEFAULT, pending_days=60))
    for programme in (own, other):
        take(programme, *(sale(f"T{month}", f"{month}-10", "100.00") for month in ("2025-12", "2026-01", "2026-02")))
        close(programme, "2025-12", "2026-02")
    take(own, refund("R1", "2026-03-10", "70.00", "T2026-02"))
    take(other, refund("R1", "2026-03-10", "150.00", None))
    close(own, "2026-03")
    close(other, "2026-03")

    assert [lot["remaining"] for lot in own.lots("C1")] == [10, 10, 3]
    assert [lot["remaining"] for lot in other.lots("C1")] == [10, 5, 0]


def test_a_refund_that_names_no_sale_is_rated_on_its_own_day_and_nets_with_the_period() -> None:
    """30.00 refunded without a sale leaves 7 of 100.00, and does not move the measure below what was sold."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "100.00"), refund("R1", "2026-01-11", "30.00", None))
    close(programme, "2026-01")

    assert posted(programme) == [("2026-01", "earn", 7)]
    assert stated(programme, "2026-01", "qualifying_points") == [("10",)]


def test_rows_that_cannot_be_are_refused_with_a_reason() -> None:
    """Unknown sale, another customer's, above the sale, one id with two contents, bad pieces and dates."""
    programme = Programme("UTC")
    rejected = programme.record(
        [
            refund("R1", "2026-01-11", "6.00", "T1"),
            refund("R2", "2026-01-12", "6.00", "T1"),
            refund("R3", "2026-01-12", "1.00", "T1", "C2"),
            refund("R4", "2026-01-12", "1.00", "T9"),
            refund("R5", "2026-01-12", "0.00", "T1"),
            sale("T1", "2026-01-10", "10.00"),
            sale("T2", "2026-01-10", "10.00", tax=1001),
            sale("T3", "2026-02-10", "10.00"),
            sale("T4", "1989-12-31", "10.00"),
            sale("T5", "2026-01-10", "10.00"),
            sale("T5", "2026-01-10", "11.00"),
        ],
        at("2026-01-31"),
    )

    assert rejected == [
        ("R2", "refund above its sale"),
        ("R3", "refund of another customer's sale"),
        ("R4", "unknown original"),
        ("R5", "bad amount"),
        ("T2", "pieces above the amount"),
        ("T3", "date out of range"),
        ("T4", "date out of range"),
        ("T5", "the same id with other content"),
        ("T5", "the same id with other content"),
    ]


# -- section 5: pending points


def test_pending_points_are_not_spendable_and_count_when_available_in_their_own_month() -> None:
    """With 10 pending days January's 130 count for the tier at the close of February, in January's place."""
    programme = Programme("UTC", replace(DEFAULT, pending_days=10))
    take(programme, sale("T1", "2026-01-10", "1300.00"))
    close(programme, "2026-01")
    with pytest.raises(Refused):
        programme.redeem("C1", 1, at("2026-02-10T23:59"))
    programme.redeem("C1", 1, at("2026-02-11"))
    close(programme, "2026-02", "2027-01")
    measures = {month: stated(programme, month, "qualifying_points", "tier_after") for month in ("2026-01", "2026-02")}

    assert measures == {"2026-01": [("0", "Bronze")], "2026-02": [("130", "Silver")]}
    assert stated(programme, "2026-12", "qualifying_points") == [("130",)]
    assert stated(programme, "2027-01", "qualifying_points") == [("0",)]


# -- section 6: lots and expiry


def spent_on_15_may() -> tuple[Programme, str]:
    """Lots of 100 until 1 June and of 100 until 1 July 2027, 150 of them spent on 15 May."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-05-10", "1000.00"))
    take(programme, sale("T2", "2026-06-10", "1000.00"))
    close(programme, "2026-05", "2027-04")
    return programme, programme.redeem("C1", 150, at("2027-05-15"))


def remaining(programme: Programme) -> list[tuple[int, datetime]]:
    return [(lot["remaining"], lot["expires_at"]) for lot in programme.lots("C1") if lot["remaining"]]


def test_the_soonest_to_expire_is_spent_first() -> None:
    """After spending 150 of 100 and 100, nothing expires on 1 June and 50 on 1 July, a June entry."""
    programme, _ = spent_on_15_may()
    programme.expire(at("2027-06-01"))
    in_june = posted(programme, "expire")
    programme.expire(at("2027-07-01"))

    assert in_june == []
    assert posted(programme, "expire") == [("2027-06", "expire", -50)]


def test_an_undo_gives_points_back_to_their_lots_and_dates() -> None:
    """Undone on 20 May, both lots are whole again, with the old dates."""
    programme, redemption = spent_on_15_may()
    programme.undo(redemption, at("2027-05-20"))

    assert remaining(programme) == [(100, at("2027-06-01")), (100, at("2027-07-01"))]


def test_points_that_come_back_to_a_lot_that_has_passed_get_some_grace() -> None:
    """Undone on 10 June, 100 are good to the end of 17 June and 50 go back to 1 July."""
    programme, redemption = spent_on_15_may()
    programme.expire(at("2027-06-02"))
    programme.undo(redemption, at("2027-06-10T12:00"))
    back = remaining(programme)
    programme.redeem("C1", 40, at("2027-06-11"))
    close(programme, "2027-05", "2027-06")

    assert back == [(100, at("2027-07-01")), (100, at("2027-06-18"))]
    assert [(e["period"], e["points"], e["reference"]) for e in programme.entries() if e["kind"] == "expire"] == [
        ("2027-06", -60, "2026-05"),
        ("2027-06", -100, "2026-06"),
    ]


def test_an_expiry_belongs_to_the_month_of_its_last_valid_day() -> None:
    """January 2026's points expire at the first instant of February 2027, and are January 2027's."""
    programme = Programme("America/New_York")
    take(programme, sale("T1", "2026-01-10", "100.00"))
    close(programme, "2026-01", "2027-01")

    assert [e for e in programme.entries() if e["kind"] == "expire"] == [
        {
            "customer_id": "C1",
            "kind": "expire",
            "points": -10,
            "occurred_at": at("2027-02-01T00:00-05:00"),
            "period": "2027-01",
            "source": "expiry",
            "reference": "2026-01",
            "expires_at": None,
            "reason": "",
        }
    ]


# -- section 7: tiers


@pytest.mark.parametrize(("amount", "tier"), [("1199.99", "Bronze"), ("1200.00", "Silver")])
def test_a_threshold_is_reached_by_equality_and_kept_when_points_are_spent(amount: str, tier: str) -> None:
    """119 is not Silver, 120 is; redeeming everything leaves the tier."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", amount))
    close(programme, "2026-01")
    programme.redeem("C1", programme.balance("C1"), at("2026-02-10"))
    close(programme, "2026-02")

    assert stated(programme, "2026-01", "tier_before", "tier_after") == [("Bronze", tier)]
    assert stated(programme, "2026-02", "tier_after", "closing_balance") == [(tier, "0")]


def test_a_tier_is_held_warned_of_and_lost_one_step() -> None:
    """150 of January 2026: Silver to the close of 2027-03, which moves to Bronze; that of 2027-02 warns."""
    programme = Programme("UTC", FOREVER)
    take(programme, sale("T1", "2026-01-10", "1500.00"))
    close(programme, "2026-01", "2027-04")

    assert programme.tier_history("C1") == [("Silver", at("2026-02-01")), ("Bronze", at("2027-04-01"))]
    assert programme.warnings() == [("C1", "2027-02", "Silver")]
    assert [stated(programme, month, "tier_before", "tier_after") for month in ("2027-03", "2027-04")] == [
        [("Silver", "Bronze")],
        [("Bronze", "Bronze")],
    ]


def test_a_move_alone_makes_a_statement_and_only_in_its_month() -> None:
    """A member without points who loses a tier is stated in that month and not in the next."""
    programme = Programme("UTC", FOREVER)
    take(programme, sale("T1", "2026-01-10", "1500.00"))
    close(programme, "2026-01")
    programme.redeem("C1", 150, at("2026-02-10"))
    close(programme, "2026-02", "2027-04")

    assert [len(programme.statements(month)) for month in ("2027-02", "2027-03", "2027-04")] == [0, 1, 0]


def test_a_refund_counts_in_the_month_of_its_sale() -> None:
    """100 of January refunded in March and 130 of June: 130 at the closes of 2026-12 and of 2027-01."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "1000.00"))
    take(programme, refund("R1", "2026-03-10", "1000.00", "T1"), sale("T2", "2026-06-10", "1300.00"))
    with pytest.raises(Refused):
        programme.close("2026-03", now=at("2026-08-01"))
    close(programme, "2026-01", "2027-01")

    assert stated(programme, "2026-12", "qualifying_points") == [("130",)]
    assert stated(programme, "2027-01", "qualifying_points") == [("130",)]


def test_a_fall_of_several_rungs_takes_a_hold_for_each() -> None:
    """A Platinum member who stops buying goes down one step at each end of a hold, or never by setting."""
    histories = []
    for downgrade in ("step", "never"):
        programme = Programme("UTC", replace(FOREVER, downgrade=downgrade, qualify="period"))
        take(programme, sale("T1", "2026-01-10", "6000.00"))
        close(programme, "2026-01", "2026-12", reviews="approve")
        histories.append([(tier, f"{moved:%Y-%m}") for tier, moved in programme.tier_history("C1")])

    assert histories == [
        [("Platinum", "2026-02"), ("Gold", "2026-05"), ("Silver", "2026-08"), ("Bronze", "2026-11")],
        [("Platinum", "2026-02")],
    ]


def test_the_measure_may_be_of_twelve_months_of_one_or_of_all() -> None:
    """Of 10 points in each of fourteen months the last close sees 120, 10 or 140."""
    measures = []
    for qualify in ("trailing_12_months", "period", "lifetime"):
        programme = Programme("UTC", replace(DEFAULT, qualify=qualify))
        months = [shift("2026-01", number) for number in range(14)]
        take(programme, *(sale(f"T{month}", f"{month}-10", "100.00") for month in months))
        close(programme, months[0], months[-1])
        measures += stated(programme, months[-1], "qualifying_points")

    assert measures == [("120",), ("10",), ("140",)]


# -- section 8: reviews


def gold_proposed() -> Programme:
    """A member whose 300 points of January 2026 propose Gold; asked on 1 February at 01:00."""
    programme = Programme("UTC", FOREVER)
    take(programme, sale("T1", "2026-01-10", "3000.00"))
    close(programme, "2026-01")
    return programme


def rewards(programme: Programme) -> list[tuple[str, str, datetime]]:
    return [(v["customer_id"], v["tier"], v["expires_at"]) for v in programme.vouchers()]


def test_an_upgrade_into_a_reviewed_tier_is_held_whole() -> None:
    """From Bronze to Gold nothing moves, Silver neither, and no reward comes, until somebody approves."""
    programme = gold_proposed()
    before = stated(programme, "2026-01", "tier_after", "review"), rewards(programme)
    outcome = programme.decide("C1", "Gold", True, by="ann", note="well", now=at("2026-02-14T12:00"))
    close(programme, "2026-02")

    assert before == ([("Bronze", "pending")], [])
    assert outcome == "approved"
    assert stated(programme, "2026-01", "tier_after", "review") == [("Bronze", "approved")]
    assert stated(programme, "2026-02", "tier_before", "tier_after", "review") == [("Bronze", "Gold", "none")]
    assert rewards(programme) == [("C1", "Gold", at("2026-05-16"))]


def test_a_backfill_that_approves_moves_at_the_end_of_the_month() -> None:
    """The review is recorded as decided by the name given; the tier is the month's own."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "6000.00"))
    programme.close("2026-01", "approve", now=at("2027-01-05"), by="ann")

    assert stated(programme, "2026-01", "tier_after", "review") == [("Platinum", "approved")]
    assert [(review["state"], review["by"], review["asked_at"]) for review in programme.reviews()] == [
        ("approved", "ann", at("2027-01-05"))
    ]
    assert rewards(programme) == [("C1", "Platinum", at("2026-05-03"))]
    assert [gift["item"] for gift in programme.gifts()] == ["gift"]


def test_one_review_is_open_however_many_months_propose_it() -> None:
    """In a backfill, whose deadlines run from the asking, the second month finds the first one's review."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "3000.00"))
    for month in ("2026-01", "2026-02", "2026-03"):
        programme.close(month, now=at("2026-06-10"))
    states = [stated(programme, month, "review") for month in ("2026-01", "2026-02", "2026-03")]

    assert [(review["period"], review["state"]) for review in programme.reviews()] == [("2026-01", "pending")]
    assert states == [[("pending",)]] * 3


def test_a_rejected_upgrade_is_not_proposed_again_for_six_months() -> None:
    """Rejected on 10 February, Gold is withheld through the close of July and proposed by that of August."""
    programme = gold_proposed()
    outcome = programme.decide("C1", "Gold", False, by="ann", note="no", now=at("2026-02-10"))
    close(programme, "2026-02", "2026-08")
    months = ("2026-01", "2026-02", "2026-07", "2026-08")

    assert outcome == "rejected"
    assert [stated(programme, month, "tier_after", "review") for month in months] == [
        [("Bronze", "rejected")],
        [("Bronze", "rejected")],
        [("Bronze", "rejected")],
        [("Bronze", "pending")],
    ]


def test_a_decision_reads_the_facts_of_its_own_window_again() -> None:
    """A refund recorded since that takes the member below 250 lets the upgrade lapse."""
    programme = gold_proposed()
    take(programme, refund("R1", "2026-02-05", "501.00", "T1"), sale("T2", "2026-02-06", "9000.00"))
    outcome = programme.decide("C1", "Gold", True, by="ann", note="", now=at("2026-02-10"))

    assert outcome == "lapsed"
    assert [(review["state"], review["reason"]) for review in programme.reviews()] == [
        ("lapsed", "no longer qualifies")
    ]
    assert programme.tier_history("C1") == []


def test_a_review_lapses_when_the_tier_has_moved_already() -> None:
    """Platinum approved first, Gold's review comes to nothing."""
    programme = gold_proposed()
    programme.decide("C1", "Gold", True, by="ann", note="", now=at("2026-02-01T02:00"))
    held = Programme("UTC", FOREVER)
    take(held, sale("T1", "2026-01-10", "3000.00"), sale("T2", "2026-02-10", "3000.00"))
    held.close("2026-01", now=at("2026-03-01T01:00"))
    held.close("2026-02", now=at("2026-03-01T01:00"))
    first = held.decide("C1", "Platinum", True, by="ann", note="", now=at("2026-03-02"))
    second = held.decide("C1", "Gold", True, by="ann", note="", now=at("2026-03-02"))

    assert (first, second) == ("approved", "lapsed")
    assert held.tier_history("C1") == [("Platinum", at("2026-03-02"))]
    with pytest.raises(Refused):
        programme.decide("C1", "Gold", True, by="ann", note="", now=at("2026-02-02"))


def test_silence_never_approves() -> None:
    """Undecided for 14 days a review lapses, job or no job; the next close proposes it again."""
    told, silent = gold_proposed(), gold_proposed()
    told.expire(at("2026-02-15T01:00"))
    outcome = silent.decide("C1", "Gold", True, by="ann", note="", now=at("2026-02-15T01:00"))
    close(told, "2026-02")

    assert outcome == "lapsed"
    assert [(review["period"], review["state"]) for review in told.reviews()] == [
        ("2026-01", "lapsed"),
        ("2026-02", "pending"),
    ]
    assert [stated(told, month, "review") for month in ("2026-01", "2026-02")] == [
        [("lapsed",)],
        [("pending",)],
    ]


def test_a_month_of_many_points_asks_for_a_review_of_any_upgrade() -> None:
    """With review_above_points = 200, a first month of 200 points holds Silver, one of 199 does not."""
    rules = replace(DEFAULT, review_above_points=200)
    programme = Programme("UTC", rules)
    take(programme, sale("T1", "2026-01-10", "2000.00"), sale("T2", "2026-01-10", "1999.99", "C2"))
    close(programme, "2026-01")

    assert stated(programme, "2026-01", "customer_id", "tier_after", "review") == [
        ("C1", "Bronze", "pending"),
        ("C2", "Silver", "none"),
    ]


def test_a_close_after_a_decision_makes_no_move_of_its_own() -> None:
    """Gold approved in June while February is open: February's close stays at Bronze, proposes nothing."""
    programme = Programme("UTC", FOREVER)
    take(programme, sale("T1", "2026-01-10", "3000.00"))
    programme.close("2026-01", now=at("2026-06-01"))
    programme.decide("C1", "Gold", True, by="ann", note="", now=at("2026-06-02"))
    for number in range(1, 6):
        programme.close(shift("2026-01", number), now=at("2026-07-01"))

    assert programme.tier_history("C1") == [("Gold", at("2026-06-02"))]
    assert stated(programme, "2026-02", "tier_before", "tier_after", "review") == [("Bronze", "Bronze", "none")]
    assert stated(programme, "2026-06", "tier_before", "tier_after", "review") == [("Bronze", "Gold", "none")]


@pytest.mark.parametrize(("reviewed", "states"), [(True, ["approved", "pending"]), (False, ["approved"])])
def test_a_close_after_a_decision_proposes_only_what_is_above_it(reviewed: bool, states: list[str]) -> None:
    """Points for a third rung are proposed if it needs a review (not even a backfill approves it), else they wait."""
    ladder = (Tier("A", 0), Tier("B", 10, review=True), Tier("C", 20, review=reviewed))
    programme = Programme("UTC", replace(FOREVER, ladder=ladder))
    take(programme, sale("T1", "2026-01-10", "100.00"), sale("T2", "2026-02-10", "100.00"))
    programme.close("2026-01", now=at("2026-03-01"))
    programme.decide("C1", "B", True, by="ann", note="", now=at("2026-03-02"))
    programme.close("2026-02", "approve", now=at("2026-03-03"), by="ann")

    assert programme.tier_history("C1") == [("B", at("2026-03-02"))]
    assert [review["state"] for review in programme.reviews()] == states


# -- section 9: rewards


def test_a_tier_is_rewarded_once_in_twelve_months() -> None:
    """Silver reached in February, lost, and reached in June brings one voucher; a year later another."""
    rules = replace(FOREVER, qualify="period", hold_months=1)
    programme = Programme("UTC", rules)
    months = ("2026-01", "2026-05", "2027-01")
    take(programme, *(sale(month, f"{month}-10", "1200.00") for month in months))
    close(programme, "2026-01", "2027-01")
    silver = [moved for tier, moved in programme.tier_history("C1") if tier == "Silver"]

    assert silver == [at("2026-02-01"), at("2026-06-01"), at("2027-02-01")]
    assert [(v["effective_at"], v["expires_at"], v["state"]) for v in programme.vouchers()] == [
        (at("2026-02-01"), at("2026-05-03"), "expired"),
        (at("2027-02-01"), at("2027-05-03"), "issued"),
    ]


def test_only_the_tier_reached_is_rewarded() -> None:
    """Two rungs up at once bring the reward of the upper one."""
    ladder = (Tier("A", 0), Tier("B", 10, voucher_minor=100), Tier("C", 20, voucher_minor=200))
    programme = Programme("UTC", Rules(ladder=ladder))
    take(programme, sale("T1", "2026-01-10", "200.00"))
    close(programme, "2026-01")

    assert [(voucher["tier"], voucher["amount"]) for voucher in programme.vouchers()] == [("C", 200)]


# -- section 16: corrections and recompute

DOUBLING = replace(
    DEFAULT,
    ladder=tuple(replace(tier, multiplier=Fraction(2)) if tier.name == "Silver" else tier for tier in DEFAULT.ladder),
)


def correct(programme: Programme, *transactions: Transaction, now: str) -> list[tuple[str, str]]:
    return programme.record(transactions, at(now), correct=True)


def test_a_correction_takes_its_rows_place() -> None:
    """100.00 closed in January is 80.00: -2 from January's lot; 100.00 again: +2 with the open month's own."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "100.00"))
    close(programme, "2026-01")
    correct(programme, sale("T1", "2026-01-10", "80.00"), now="2026-02-05")
    close(programme, "2026-02")
    correct(programme, sale("T1", "2026-01-10", "100.00"), now="2026-03-05")
    close(programme, "2026-03")

    assert posted(programme) == [("2026-01", "earn", 10), ("2026-02", "take_back", -2), ("2026-03", "earn", 2)]
    assert [(lot["origin"], lot["remaining"]) for lot in programme.lots("C1")] == [("2026-01", 8), ("2026-03", 2)]
    assert [stated(programme, f"2026-0{m}", "spend", "qualifying_points", "transactions") for m in (1, 2, 3)] == [
        [("100.00", "10", "1")],
        [("-20.00", "8", "2")],
        [("20.00", "10", "2")],
    ]


def test_a_corrected_sale_takes_its_refunds_along() -> None:
    """110.00 less 22.00 was C2's, with 10.00 of tax: all 8 from C1; 10 - 2 for C2, less one by the next refund."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "110.00"), refund("R1", "2026-01-11", "22.00", "T1"))
    close(programme, "2026-01")
    answers = correct(programme, sale("T1", "2026-01-10", "110.00", "C2", tax=1000), now="2026-02-05")
    take(programme, refund("R2", "2026-02-06", "11.00", "T1", "C2"))
    close(programme, "2026-02")

    assert answers == []
    assert [(entry["customer_id"], entry["points"]) for entry in programme.entries()] == [
        ("C1", 8),
        ("C1", -8),
        ("C2", 7),
    ]


def test_a_sale_is_not_corrected_below_its_refunds_unless_they_shrink_too() -> None:
    """100.00 with 60.00 back: 50.00 is not taken, 101.00 back neither; 50.00 with 20.00 back in one file is."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "100.00"), refund("R1", "2026-01-11", "60.00", "T1"))
    smaller, more = sale("T1", "2026-01-10", "50.00"), refund("R1", "2026-01-11", "101.00", "T1")

    assert correct(programme, smaller, now="2026-01-20") == [("T1", "sale below its refunds")]
    assert correct(programme, more, now="2026-01-20") == [("R1", "refund above its sale")]
    assert correct(programme, smaller, refund("R1", "2026-01-11", "20.00", "T1"), now="2026-01-20") == []
    close(programme, "2026-01")
    assert posted(programme) == [("2026-01", "earn", 3)]


def test_a_recompute_is_what_known_rows_would_have_brought() -> None:
    """Late 20.00 would have made C1 Silver in January, whose February of 50 points doubles: +50 in the open month.

    Again it comes to nothing; a wrong row of that January, mended, takes it back.
    """
    programme = Programme("UTC", DOUBLING)
    take(programme, sale("T1", "2026-01-10", "1100.00"), sale("T2", "2026-02-10", "500.00"))
    close(programme, "2026-01", "2026-02")
    take(programme, sale("T0", "2026-01-09", "200.00"), sale("T3", "2026-03-05", "0.00"))
    first = programme.recompute("2026-01", "2026-02", now=at("2026-03-10"), post=True)
    again = programme.recompute("2026-01", "2026-02", now=at("2026-03-10"))
    correct(programme, sale("T0", "2026-01-09", "20.00"), now="2026-03-11")
    back = programme.recompute("2026-02", "2026-02", now=at("2026-03-12"), post=True)

    def told(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        names = ("period", "points_due", "points_had", "points_before", "points", "tier_had", "tier_due")
        return [tuple(row[name] for name in names) for row in rows]

    assert told(first) == [
        ("2026-01", 130, 130, 0, 0, "Bronze", "Silver"),
        ("2026-02", 100, 50, 0, 50, "Silver", "Silver"),
    ]
    assert told(again) == [("2026-01", 130, 130, 0, 0, "Bronze", "Silver")]
    assert told(back) == [("2026-02", 50, 50, 50, -50, "Silver", "Silver")]
    assert [entry[2] for entry in posted(programme, "correction")] == [50, -50]
    assert programme.balance("C1") == 160


# -- sections 13 and 14: exactly once, statements, conservation


def test_a_statement_row_whole() -> None:
    """Every column of a statement, as the export shows it."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "1234.56"))
    close(programme, "2026-01")
    programme.redeem("C1", 23, at("2026-02-10"))
    close(programme, "2026-02")

    assert programme.statements("2026-02") == [
        {
            "period": "2026-02",
            "customer_id": "C1",
            "opening_balance": "123",
            "transactions": "0",
            "spend": "0.00",
            "points_earned": "0",
            "points_redeemed": "23",
            "points_expired": "0",
            "points_adjusted": "0",
            "closing_balance": "100",
            "qualifying_points": "123",
            "tier_before": "Silver",
            "tier_after": "Silver",
            "review": "none",
        }
    ]


def test_a_member_with_nothing_to_state_has_no_statement() -> None:
    """Once the balance is nil and nothing happens, the months pass without a row."""
    programme = Programme("UTC")
    take(programme, sale("T1", "2026-01-10", "9.99"))
    close(programme, "2026-01", "2026-02")

    assert (len(programme.statements("2026-01")), programme.statements("2026-02")) == (1, [])


ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/Havana"]
RULES = st.builds(
    Rules,
    rate=st.sampled_from([Fraction(1, 10), Fraction(1, 3), Fraction(5)]),
    pending_days=st.sampled_from([0, 0, 5, 40]),
    shortfall=st.sampled_from(["owe", "write_off"]),
    expiry_months=st.sampled_from([None, 1, 2, 12]),
    hold_months=st.sampled_from([1, 3]),
    qualify=st.sampled_from(["trailing_12_months", "lifetime", "period"]),
)
FIRST, LAST = "2026-01", "2026-06"


@st.composite
def histories(draw: st.DrawFn) -> list[Transaction]:
    """Sales of three customers over five months, with refunds of some of them on or after their day."""
    rows: list[Transaction] = []
    for number in range(draw(st.integers(1, 12))):
        customer = draw(st.sampled_from(["C1", "C2", "c1"]))
        day = at("2026-01-01") + timedelta(hours=draw(st.integers(24, 140 * 24)))
        amount, tax = draw(st.integers(0, 400_000)), draw(st.integers(0, 100))
        pieces = {"tax": tax} if tax <= amount else {}
        rows.append(Transaction(f"S{number}", customer, day, amount, pieces=pieces))
        left = amount
        for part in range(draw(st.integers(0, 3)) if amount else 0):
            money = draw(st.integers(1, left)) if left else 0
            left -= money
            again = day + timedelta(days=draw(st.integers(0, 60)))
            if money and again < at("2026-06-30"):
                rows.append(Transaction(f"R{number}.{part}", customer, again, money, "refund", f"S{number}"))
    return rows


def played(zone: str, rules: Rules, imports: Iterable[list[Transaction]], reviews: str = "hold") -> Programme:
    """All imports taken before the first close, then half a year closed."""
    programme = Programme(zone, rules)
    for rows in imports:
        assert programme.record(rows, at("2026-06-30")) == []
    close(programme, FIRST, LAST, reviews)
    return programme


def results(programme: Programme) -> tuple[Any, ...]:
    months = [shift(FIRST, number) for number in range(6)]
    return [programme.statements(month) for month in months], programme.entries(), programme.vouchers()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), RULES, histories(), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_nor_split_changes_anything(
    zone: str, rules: Rules, rows: list[Transaction], chance: random.Random
) -> None:
    """One file, the same in another order twice over, and sales before refunds one by one: all the same."""
    shuffled = chance.sample(rows, len(rows))
    singly = [[row] for row in sorted(shuffled, key=lambda row: row.kind == "refund")]
    whole = results(played(zone, rules, [rows]))

    assert results(played(zone, rules, [shuffled + rows, shuffled])) == whole
    assert results(played(zone, rules, singly)) == whole


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), RULES, histories(), st.sampled_from(["hold", "approve"]))
def test_points_are_conserved(zone: str, rules: Rules, rows: list[Transaction], reviews: str) -> None:
    """Opening + earned - redeemed - expired + adjusted = closing = the next opening, at last the balance."""
    programme = played(zone, rules, [rows], reviews)
    balances: dict[str, int] = {}
    for number in range(6):
        for row in programme.statements(shift(FIRST, number)):
            opening, earned, redeemed, expired, adjusted, closing = (
                int(row[name]) for name in row if name.startswith("points_") or name.endswith("_balance")
            )
            assert opening == balances.get(row["customer_id"], 0)
            assert opening + earned - redeemed - expired + adjusted == closing
            assert min(redeemed, expired) >= 0
            balances[row["customer_id"]] = closing
    customers = sorted({row.customer_id for row in rows})
    for customer in customers:
        unspent = sum(lot["remaining"] for lot in programme.lots(customer))
        assert unspent in (0, programme.balance(customer))

    assert {customer: balances[customer] for customer in customers} == {
        customer: programme.balance(customer) for customer in customers
    }


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, 12))
def test_what_is_posted_is_the_floor_of_the_exact_sum(rows: list[Transaction], late: int) -> None:
    """However late rows come, what closes post is floor(the exact sum of all that is booked)."""
    rules = Rules(ladder=(Tier("Bronze", 0),), rate=Fraction(1, 3), exclude=frozenset())
    programme = Programme("UTC", rules)
    tardy = [row for row in rows if row.transaction_id in {f"S{late}", f"R{late}.0", f"R{late}.1", f"R{late}.2"}]
    assert programme.record([row for row in rows if row not in tardy], at("2026-06-30")) == []
    close(programme, FIRST, "2026-03")
    assert programme.record(tardy, at("2026-06-30")) == []
    close(programme, "2026-04", LAST)
    for customer in {row.customer_id for row in rows}:
        mine = [row for row in rows if row.customer_id == customer]
        cents = sum(row.amount if row.kind == "sale" else -row.amount for row in mine)
        points = [e["points"] for e in programme.entries() if e["customer_id"] == customer]

        assert sum(points) == floor(Fraction(cents, 300))


def test_an_instant_shows_its_local_day() -> None:
    """Ninety days after a move in New York end at midnight there, on either side of a change of clocks."""
    programme = Programme("America/New_York")
    take(programme, sale("T1", "2026-01-10", "1200.00"))
    close(programme, "2026-01")
    (voucher,) = programme.vouchers()

    assert voucher["effective_at"].astimezone(ZoneInfo("America/New_York")).isoformat() == "2026-02-01T00:00:00-05:00"
    assert voucher["expires_at"] == at("2026-05-03T00:00-04:00")

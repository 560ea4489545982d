"""Decisions of whole batches: all that follows in one transaction, and the first one wins, whoever meets."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.db import approvals, expiry, reviews
from loyalty.db.approvals import Outcome
from loyalty.db.engine import transaction
from loyalty.errors import BadInput, LoyaltyError, Refused, WrongUse
from loyalty.rules.periods import parse_period
from tests.approvals.conftest import CLOSED_AT, DECIDED_AT, DUE_AT, Shop, opened
from tests.laws.conftest import Databases
from tests.laws.scenarios import HISTORIES

JANUARY = parse_period("2026-01")
EVERYBODY = ["C1", "C2", "C3", "C4", "C5"]
ONE = 1
NO_NAME = "a decision is made in somebody's name: a handle of 1 to 80 letters, no e-mail address"


def test_a_close_freezes_its_reviews_into_a_batch(shop: Shop) -> None:
    """Law: what a close proposes waits as one approval a tier, asked by the system, due as its reviews are."""
    found = shop.approval()

    assert (found.kind, found.occasion, found.period, found.asked_by) == (
        "tier_upgrades",
        "2026-01 Gold 1",
        JANUARY,
        "system",
    )
    assert (found.asked_at, found.due_at, found.due_on) == (CLOSED_AT, DUE_AT, "2026-02-16")
    assert (found.state, found.members, found.name) == ("open", 5, "review 2026-01 Gold 1")
    assert found.about == "5 upgrades into Gold of 2026-01 wait."
    assert reviews.gather(JANUARY) == 0


def test_a_batch_is_no_larger_than_a_form(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: reviews nobody was asked about are batched by tier, the most points first, numbered on; again makes none."""
    shop.rows("update loyalty.reviews set approval_no = null")
    shop.rows("delete from loyalty.staff_messages")
    shop.rows("delete from loyalty.approvals")
    monkeypatch.setattr(reviews, "MOST_IN_BATCH", 2)
    expiry.expire(DECIDED_AT)

    assert reviews.gather() == 0
    rows = shop.rows(
        "select a.occasion, array_agg(m.customer_id order by m.customer_id) from loyalty.approvals as a"
        " join loyalty.reviews as r using (approval_no) join loyalty.members as m using (member_no)"
        " group by 1 order by 1"
    )
    assert [tuple(row) for row in rows] == [
        ("2026-01 Gold 1", ["C4", "C5"]),
        ("2026-01 Gold 2", ["C2", "C3"]),
        ("2026-01 Gold 3", ["C1"]),
    ]


def test_an_approval_moves_all_but_those_left_out_and_those_who_no_longer_qualify(shop: Shop) -> None:
    """Law: who is left out is rejected with the note, who no longer qualifies lapses and is named, the others move."""
    shop.refund("C2")
    outcome = approvals.decide(ONE, approve=True, by="anna", note="resellers", leave_out=[shop.number("C1")])
    told = f"3 approved, 1 rejected, 1 lapsed (the member no longer qualifies: M{shop.number('C2')})"

    assert outcome == Outcome(ONE, "approved", told, (JANUARY,))
    assert shop.states() == {
        "C1": ("rejected", "anna", "resellers"),
        "C2": ("lapsed", "anna", "the member no longer qualifies"),
        **dict.fromkeys(("C3", "C4", "C5"), ("approved", "anna", None)),
    }
    assert shop.moved() == ["C3", "C4", "C5"]
    assert sorted(voucher["customer_id"] for voucher in shop.product.vouchers()) == ["C3", "C4", "C5"]
    assert (shop.approval().state, shop.approval().decided_by, shop.approval().told) == ("approved", "anna", told)
    assert shop.product.wrong() == {}


def test_a_rejection_is_of_all(shop: Shop) -> None:
    """Law: a rejected batch moves nobody, each for the reason given."""
    outcome = approvals.decide(ONE, approve=False, by="anna", note="a till was broken")

    assert (outcome.state, outcome.told) == ("rejected", "0 approved, 5 rejected, 0 lapsed")
    assert shop.states() == dict.fromkeys(EVERYBODY, ("rejected", "anna", "a till was broken"))
    assert shop.moved() == []
    assert shop.product.wrong() == {}


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        ({"approve": False}, WrongUse, "a rejection needs its reason"),
        ({"leave_out": [1]}, WrongUse, "leaving members out needs a reason: they count as rejected"),
        ({"leave_out": [999], "note": "why"}, BadInput, "member 999 is not in this batch"),
        ({"approve": False, "note": "no", "leave_out": [1]}, WrongUse, "a rejection is of all: leave nobody out of it"),
        ({"by": "system"}, Refused, "who asked may not decide: it takes a second person"),
        ({"by": "anna@example.com"}, WrongUse, NO_NAME),
        ({"by": " "}, WrongUse, NO_NAME),
        ({"note": "x" * 501}, WrongUse, "a reason has at most 500 characters"),
        ({"approval_no": 7}, BadInput, "there is no approval 7: see `loyalty approvals list`"),
    ],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_changes_nothing(
    shop: Shop, answer: dict[str, Any], kind: type[LoyaltyError], told: str
) -> None:
    """Law: what can't be meant, or comes from who may not decide, is refused in a line, and everything stays open."""
    given_answer: dict[str, Any] = {"approval_no": ONE, "approve": True, "by": "anna"} | answer
    with pytest.raises(kind) as refused:
        approvals.decide(given_answer.pop("approval_no"), **given_answer)

    assert str(refused.value) == told
    assert shop.states() == dict.fromkeys(EVERYBODY, ("open", None, None))
    assert shop.approval().state == "open"


def test_only_approvers_decide(shop: Shop) -> None:
    """Law: where the rules list approvers, nobody else decides, neither a batch nor one review."""
    shop.rules(approvers=("zoe",))
    for decide in (lambda: approvals.decide(ONE, approve=True, by="anna"), lambda: reviews.approve([1], by="anna")):
        with pytest.raises(Refused, match="not among the approvers"):
            decide()

    assert approvals.decide(ONE, approve=True, by="zoe").state == "approved"


def test_the_first_decision_wins(shop: Shop) -> None:
    """Law: of six decisions at once one is made, whole; the others are told what was decided and by whom."""
    answers = [{"approve": bool(number % 2), "by": f"anna{number}", "note": f"n{number}"} for number in range(6)]
    done = _at_once([lambda answer=answer: approvals.decide(ONE, **answer) for answer in answers])  # type: ignore[misc]
    [won] = [number for number, outcome in enumerate(done) if isinstance(outcome, Outcome)]
    state = "approved" if won % 2 else "rejected"

    assert {str(outcome) for number, outcome in enumerate(done) if number != won} == {
        f"approval 1 is {state} already, by anna{won}"
    }
    assert shop.states() == dict.fromkeys(EVERYBODY, (state, f"anna{won}", f"n{won}"))
    assert shop.moved() == (EVERYBODY if won % 2 else [])
    assert shop.product.wrong() == {}


def test_the_command_line_and_the_form_meet(shop: Shop) -> None:
    """Law: reviews decided one by one while the batch is decided: each once, and the batch is at an end either way."""
    numbers = [shop.review(name) for name in EVERYBODY]
    done = _at_once([
        lambda: approvals.decide(ONE, approve=True, by="form"),
        lambda: reviews.reject(numbers[:2], by="terminal", note="no"),
        lambda: reviews.approve(numbers[3:], by="terminal"),
    ])  # fmt: skip
    states = shop.states()

    assert {state for state, _, _ in states.values()} <= {"approved", "rejected"}
    assert [decider for _, decider, _ in states.values()] == [
        "form" if isinstance(done[1], Refused) else "terminal",
        "form" if isinstance(done[1], Refused) else "terminal",
        "form",
        "form" if isinstance(done[2], Refused) else "terminal",
        "form" if isinstance(done[2], Refused) else "terminal",
    ]
    assert shop.moved() == [name for name, (state, _, _) in states.items() if state == "approved"]
    assert shop.approval().state == "approved"
    assert shop.product.wrong() == {}


@settings(max_examples=HISTORIES * 2 // 5)  # each on a database of its own
@given(before=st.dictionaries(st.sampled_from(EVERYBODY), st.booleans()), left=st.sets(st.sampled_from(EVERYBODY)))
def test_a_form_decides_only_what_is_open(
    databases: Databases,
    closed_shop: str,
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, bool],
    left: set[str],
) -> None:
    """Law: what was decided one by one stays; the batch ends with the last of it, and a later answer is refused."""
    with opened(databases, closed_shop, tmp_path_factory.mktemp("shop")) as shop:
        for name, approve in before.items():
            if approve:
                reviews.approve([shop.review(name)], by="bert")
            else:
                reviews.reject([shop.review(name)], by="bert", note="before")
        members = [shop.number(name) for name in sorted(left)]
        if len(before) == len(EVERYBODY):
            with pytest.raises(Refused, match=r"approval 1 is (approved|rejected) already, by bert"):
                approvals.decide(ONE, approve=True, by="anna", note="left out", leave_out=members)
        else:
            approvals.decide(ONE, approve=True, by="anna", note="left out", leave_out=members)
        expected = before | {name: name not in left for name in EVERYBODY if name not in before}

        assert {name: state for name, (state, _, _) in shop.states().items()} == {
            name: "approved" if expected[name] else "rejected" for name in EVERYBODY
        }
        assert {name: decider for name, (_, decider, _) in shop.states().items()} == {
            name: "bert" if name in before else "anna" for name in EVERYBODY
        }
        assert shop.moved() == sorted(name for name in EVERYBODY if expected[name])
        assert shop.approval().state != "open"
        assert shop.product.wrong() == {}


def test_time_ends_what_nobody_decides(shop: Shop) -> None:
    """Law: past the deadline a batch lapses with its reviews, never approved by silence; a late answer hears of it."""
    shop.product.expire(DUE_AT)

    assert shop.states() == dict.fromkeys(EVERYBODY, ("lapsed", "system", "not decided in time"))
    assert (shop.approval().state, shop.approval().decided_by) == ("lapsed", "system")
    assert shop.approval().told == "0 approved, 0 rejected, 5 lapsed"
    with pytest.raises(Refused) as late:
        approvals.decide(ONE, approve=True, by="anna")
    assert str(late.value) == "approval 1 is lapsed already, by system"
    assert shop.product.wrong() == {}


def test_a_late_answer_lapses_though_no_job_ran(shop: Shop) -> None:
    """Law: the deadline counts whatever the daily job has done."""
    shop.product.tell_time(DUE_AT)
    outcome = approvals.decide(ONE, approve=True, by="anna")
    members = ", ".join(f"M{shop.number(name)}" for name in EVERYBODY)

    assert (outcome.state, outcome.told) == (
        "lapsed",
        f"0 approved, 0 rejected, 5 lapsed (not decided in time: {members})",
    )
    assert shop.moved() == []


def test_an_escalated_batch_still_waits(shop: Shop) -> None:
    """Law: where the rules escalate, what nobody decided stays open past its deadline, and can be approved then."""
    shop.rules(review_overdue="escalate")
    shop.product.expire(DUE_AT)
    shop.product.expire(DUE_AT + timedelta(days=1))

    assert [shop.approval().state, *shop.rows("select escalated_at from loyalty.approvals")] == ["open", (DUE_AT,)]
    assert approvals.decide(ONE, approve=True, by="anna").told == "5 approved, 0 rejected, 0 lapsed"


def test_who_asked_may_not_decide(shop: Shop) -> None:
    """Law: it takes a second person, however the name is written; the database says so too."""
    with transaction() as connection:
        asked = approvals.ask(connection, "adjustment", "A1", asked_by="Anna", asked_at=DECIDED_AT, due_at=DUE_AT)
        again = approvals.ask(connection, "adjustment", "A1", asked_by="bert", asked_at=DUE_AT, due_at=DUE_AT)
    with pytest.raises(Refused) as refused:
        approvals.decide(asked, approve=False, by="anna", note="no")

    assert asked == again
    assert str(refused.value) == "who asked may not decide: it takes a second person"
    with pytest.raises(LoyaltyError, match="approvals_need_two_people"):
        shop.rows(
            "update loyalty.approvals set state = 'approved', decided_by = 'ANNA', decided_at = asked_at"
            " where approval_no = :number",
            number=asked,
        )
    assert approvals.decide(asked, approve=False, by="bert", note="no").told == "rejected by bert: no"


def _at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """What each call returned, or the error it raised, all begun together."""
    start, done = threading.Barrier(len(calls)), [None] * len(calls)

    def call(number: int) -> None:
        start.wait()
        try:
            done[number] = calls[number]()
        except LoyaltyError as error:
            done[number] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done

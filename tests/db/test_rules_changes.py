"""Changes of the rules: simulated on the last closed month, asked for once, approved by another, applied or lapsed."""

import threading
import uuid
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, text

from loyalty import clock, monthly
from loyalty.db import approvals, engine, rules_changes, rules_versions
from loyalty.db.imports import import_transactions
from loyalty.db.programme import set_up
from loyalty.db.rules_changes import Draft, Proposal
from loyalty.db.simulation import MemberOutcome, TierOutcome, compare, simulate
from loyalty.db.verify import verify
from loyalty.errors import Refused, WrongUse
from loyalty.reports import rules_change
from loyalty.rules.changes import RuleChanges, TierChange
from loyalty.rules.programme import Programme
from loyalty.rules.toml import to_toml

NOW = "2026-03-02T10:00:00Z"
JANUARY, FEBRUARY, MARCH = (date(2026, month, 1) for month in (1, 2, 3))
# members 1 to 4: 260 points (Gold, held for review), 130 (Silver), 110 (Bronze), and one who buys in February alone
ROWS = """\
transaction_id,customer_id,occurred_at,amount
T1,C1,2026-01-10T12:00:00Z,2600.00
T2,C2,2026-01-11T12:00:00Z,1300.00
T3,C3,2026-01-12T12:00:00Z,1100.00
T4,C4,2026-02-12T12:00:00Z,10.00
"""
CLOSED = "2026-02 is closed and keeps its rules: new rules can begin with 2026-03, the first open month"
SILVER_EASIER = RuleChanges(tiers=(TierChange(tier="Silver", threshold="100", voucher="4.00"),))


@pytest.fixture(scope="session")
def january(server: URL, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A database to copy: January closed, February and March open."""
    made = server.set(database=f"loyalty_january_{tmp_path_factory.getbasetemp().name}".replace("-", "_"))
    _administer(server, f"create database {made.database} template {template}")
    file = tmp_path_factory.mktemp("january") / "t.csv"
    file.write_text(ROWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOYALTY_DATABASE_URL", made.render_as_string(hide_password=False))
        patch.setenv("LOYALTY_CLOCK", NOW)
        with engine.connect() as connection:
            set_up(connection, at=clock.now())
        assert import_transactions(file).rejected == 0
        monthly.close_month(JANUARY, monthly.Terms(batches=1))
        engine.dispose()
    yield made
    _administer(server, f"drop database {made.database} with (force)")


@pytest.fixture
def shop(server: URL, january: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[URL]:
    """A copy of it; the clock stands in March. Whatever a test does, every check holds afterwards."""
    copy = server.set(database=f"loyalty_test_{uuid.uuid4().hex}")
    _administer(server, f"create database {copy.database} template {january.database}")
    monkeypatch.setenv("LOYALTY_DATABASE_URL", copy.render_as_string(hide_password=False))
    monkeypatch.setenv("LOYALTY_CLOCK", NOW)
    yield copy
    failed = [check.name for check in verify() if not check.holds]
    engine.dispose()
    _administer(server, f"drop database {copy.database} with (force)")
    assert failed == []


def _administer(server: URL, command: str) -> None:
    made = create_engine(server.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        connection.execute(text(command))
    made.dispose()


def asked(wanted: Draft, by: str = "ana") -> Proposal:
    """The change simulated and proposed."""
    compared = rules_changes.compared(wanted, batches=1)
    figures: Any = rules_change.figures(wanted, compared)
    return rules_changes.propose(wanted, figures, asked_by=by, note="a test", at=clock.now())


def decided(proposal: Proposal, *, approve: bool = True) -> approvals.Outcome:
    """The answer of a second person."""
    assert proposal.approval_no is not None
    return approvals.decide(proposal.approval_no, approve=approve, by="ben", note="so be it")


def apply(rules: Programme, period: date = MARCH) -> int:
    """Rules applied as `loyalty rules apply` does."""
    with engine.transaction() as connection:
        return rules_versions.install(connection, rules, from_period=period, by="eve", at=clock.now())


def in_force(period: date) -> tuple[int, Programme]:
    """The rules of a month."""
    with engine.transaction() as connection:
        return rules_versions.in_force(connection, period)


def test_the_same_rules_twice_make_no_difference(shop: URL) -> None:
    """Law: under equal rules nobody is better or worse off, and either side is what the month's simulation says."""
    compared = compare(FEBRUARY, None, Programme(), batches=1)
    alone = simulate(FEBRUARY)

    assert compared.before == alone
    assert compared.members == ()
    assert {(tier.tier, tier.members, tier.better, tier.worse, tier.both_ways) for tier in compared.tiers} == {
        ("Bronze", 3, 0, 0, 0),
        ("Silver", 1, 0, 0, 0),
    }


def test_a_comparison_tells_who_wins_and_who_loses(shop: URL) -> None:
    """Law: points, tiers reached or asked for and vouchers are compared member by member, and summed by tier held."""
    wanted = rules_changes.draft(FEBRUARY, SILVER_EASIER)
    compared = rules_changes.compared(wanted, batches=2)

    assert (compared.before.period, compared.before.voucher_amount, compared.after.voucher_amount) == (
        JANUARY,
        500,
        800,
    )
    assert (compared.before.asked_voucher_amount, compared.after.asked_voucher_amount) == (1000, 1000)
    assert compared.tiers == (TierOutcome("Bronze", 4, 1, 1, 0, 500, 500, 1500, 1800),)
    assert compared.members == (
        MemberOutcome(3, False, "Bronze", 110, 110, "Bronze", "Silver", 0, 400),
        MemberOutcome(2, True, "Bronze", 130, 130, "Silver", "Silver", 500, 400),
    )
    assert rules_change.balance(rules_change.figures(wanted, compared)) == "1 member better off, 1 worse"


def test_an_approved_change_is_in_force_from_its_month_on(shop: URL) -> None:
    """Law: nothing is applied before a second person approves; then it is what `loyalty rules apply` does."""
    proposal = asked(rules_changes.draft(FEBRUARY, RuleChanges(rate="0.2")))
    assert in_force(FEBRUARY) == (1, Programme())
    assert proposal.approval_no is not None
    with pytest.raises(Refused, match="who asked may not decide"):
        approvals.decide(proposal.approval_no, approve=True, by="ana")

    outcome = decided(proposal)

    version, rules = in_force(FEBRUARY)
    assert (outcome.state, outcome.told) == ("approved", f"rules version {version} is in force from 2026-02")
    assert (rules, in_force(JANUARY)) == (Programme(rate=rules.rate), (1, Programme()))
    assert apply(rules, FEBRUARY) == version
    with engine.connect() as connection:
        assert rules_changes.of_approval(connection, proposal.approval_no).version == version
        assert f"It is applied: rules version {version}." in rules_change.page(connection, proposal.approval_no)


def test_the_same_change_again_is_the_same_approval(shop: URL) -> None:
    """Law: two who ask for the same at once, or one after the other, ask once; by form or by text is all the same."""
    wanted = rules_changes.draft(MARCH, SILVER_EASIER)
    both: list[Proposal] = []
    threads = [threading.Thread(target=lambda by=by: both.append(asked(wanted, by))) for by in ("ana", "cid")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_text = rules_changes.draft(MARCH, RuleChanges(), to_toml(wanted.after))

    assert len({proposal.approval_no for proposal in both}) == 1
    assert rules_changes.standing(by_text) == both[0] == both[1]
    with engine.connect() as connection:
        assert [approval.kind for approval in approvals.waiting(connection) if approval.kind == "rules"] == ["rules"]


def test_a_rejected_change_is_asked_again_only_on_purpose(shop: URL) -> None:
    """Law: who asks for a rejected change hears who rejected it and why; asked again it is another approval."""
    wanted = rules_changes.draft(MARCH, RuleChanges(rate="0.2"))
    first = asked(wanted)
    decided(first, approve=False)

    with pytest.raises(Refused) as told:
        rules_changes.standing(wanted)
    assert str(told.value) == (
        f"ben rejected this very change (approval {first.approval_no}): so be it; "
        "change it, or say that it is to be asked again"
    )
    assert rules_changes.standing(wanted, ask_again=True) is None
    again = asked(wanted)
    assert again.approval_no != first.approval_no
    assert rules_changes.standing(wanted) == again


def test_a_change_lapses_where_facts_have_changed(shop: URL) -> None:
    """Law: approved when its month is closed, or when other rules rule it by now, a change lapses and says why."""
    late = asked(rules_changes.draft(FEBRUARY, RuleChanges(rate="0.2")))
    overtaken = asked(rules_changes.draft(MARCH, RuleChanges(rate="0.2")))
    monthly.close_month(FEBRUARY, monthly.Terms(batches=1))
    version = apply(Programme(hold_months=5))

    assert [(outcome.state, outcome.told) for outcome in (decided(late), decided(overtaken))] == [
        (
            "lapsed",
            f"lapsed, and nothing changed: {CLOSED}",
        ),
        ("lapsed", "lapsed, and nothing changed: other rules were applied from 2026-03 on since it was asked"),
    ]
    assert in_force(MARCH) == (version, Programme(hold_months=5))


def test_the_rules_may_let_one_person_change_them(shop: URL) -> None:
    """Law: under change_rules_alone a change is in force as soon as it is asked for, in the name of who asked."""
    apply(Programme(change_rules_alone=True), FEBRUARY)
    proposal = asked(rules_changes.draft(FEBRUARY, RuleChanges(rate="0.2")))

    version, rules = in_force(FEBRUARY)
    assert (proposal.approval_no, proposal.version) == (None, version)
    assert rules == Programme(change_rules_alone=True, rate=rules.rate)
    with engine.connect() as connection:
        assert [found.applied_by for found in rules_versions.history(connection)] == ["system", "eve", "ana"]


def test_nobody_asks_in_the_name_of_the_system(shop: URL) -> None:
    """Law: a change has an asker who is a person, so that a second one is needed; closed months take none."""
    with pytest.raises(WrongUse, match="no person"):
        asked(rules_changes.draft(MARCH, RuleChanges(rate="0.2")), by="System")
    with pytest.raises(Refused, match="2026-01 is closed and keeps its rules"):
        rules_changes.draft(JANUARY, RuleChanges(rate="0.2"))

"""Every check finds the fault it is there for, and nothing in sound books."""

import pytest
from sqlalchemy import Connection, text

from loyalty.db import verify
from loyalty.db.statements import run

_INTO_ENTRIES = "insert into entries (period, member_no, kind, cause, points, occurred_at, recorded_at)"
_INTO_CAMPAIGNS = (
    "insert into campaigns (name, document, digest, gives, starts_at, ends_at, points, budget, spent, holdout, minimum,"
    " asked_by, asked_at, figures)"
)
_ANNS = "accounts as a inner join members as m on a.member_no = m.member_no and m.customer_id = 'ann'"
_NO_GUARD = "alter table entries disable trigger all"
ANN, CYD = (f"member_no = (select member_no from members where customer_id = '{name}')" for name in ("ann", "cyd"))

# check: how the books are spoilt, and how many rows it then finds
FAULTS: dict[str, tuple[str, int]] = {
    "accounts_are_as_the_last_statement_left_them": (
        f"update accounts set closing_balance = closing_balance + 1 where {ANN}",
        1,
    ),
    "adjustments_have_their_entries": (
        f"{_INTO_ENTRIES} select '2026-06-01', a.member_no, 'adjust', 7, 5, now(), now() from {_ANNS}",
        1,
    ),
    "approved_reviews_moved_the_member": ("delete from tier_history where review_no is not null", 1),
    "balances_are_the_sums_of_entries": (f"update accounts set balance = balance + 1 where {ANN}", 1),
    "balances_are_what_lots_hold_less_debts": (
        f"update lots set remaining = remaining - 1 where remaining > 0 and {CYD}",
        1,
    ),
    "campaigns_spent_what_they_gave": (
        f"{_INTO_CAMPAIGNS} values ('a', '', '', 'points', '2026-01-01', '2026-02-01', 5, 9, 5, 0, 0, 'a', now(), '1')",
        1,
    ),
    "closed_periods_have_a_finished_close": (
        "update closes set finished_at = null where period = '2026-03-01'",
        1,
    ),
    "closes_recorded_every_expiry": (
        f"update lots set remaining = 1 where expires_at = '2026-04-01T00:00Z' and {ANN}",
        1,
    ),
    "closes_used_the_rules_in_force": ("update closes set rules_version = 1 where period = '2026-05-01'", 1),
    "consents_are_those_of_the_newest_event": (
        (
            "insert into consent_events select member_no, 'sms', 'service', '2026-01-01', true, 'x' from members"
            f" where {ANN}"
        ),
        1,
    ),
    "corrections_have_their_rows": (
        "insert into corrections values (1, '2026-01-01', 1, 901, 902, '2026-02-01', 1, false, '2026-06-01')",
        1,
    ),
    "debits_are_used_owed_or_written_off": ("update debts set owed = owed + 1", 1),
    "decided_approvals_left_no_review_open": (
        "update reviews set state = 'open', decided_by = null, decided_at = null where approval_no is not null",
        2,
    ),
    "digests_of_closes_still_match": ("update transactions set amount = amount + 1 where transaction_id = 'C1'", 1),
    "entries_are_booked_to_months": (
        f"{_NO_GUARD}; update entries set period = '2025-12-01' where points = 130 and {CYD}",
        1,
    ),
    "every_member_has_a_part": (
        (
            "insert into members (member_no, customer_id, enrolled_at) overriding system value"
            " values (10000000, 'beyond', '2026-01-01'); insert into accounts (member_no, tier_no) values (10000000, 1)"
        ),
        1,
    ),
    "every_member_has_an_account": (
        "insert into members (customer_id, enrolled_at) values ('nobody', '2026-01-01')",
        1,
    ),
    "exact_sums_are_those_of_the_transactions": (
        "update transactions set amount = amount + 100 where transaction_id = 'C1'",
        1,
    ),
    "exact_windows_add_up": (f"update accounts set exact_before_window = 1 where {ANN}", 1),
    "expired_points_have_their_entries": (f"update lots set expired = expired + 1 where expired = 10 and {ANN}", 1),
    "grants_have_their_entries": (
        f"{_INTO_ENTRIES} select '2026-06-01', a.member_no, 'birthday', 7, 5, now(), now() from {_ANNS}",
        1,
    ),
    "lots_are_their_credits": (f"update lots set period = '2026-04-01' where points = 130 and {CYD}", 1),
    "lots_are_used_expired_or_left": (f"update lot_uses set points = points + 1 where {ANN}", 1),
    "moves_are_stated_or_approved": (f"update tier_history set tier_no = 1 where {CYD}", 2),
    "moves_begin_where_the_last_one_ended": (f"update tier_history set from_tier_no = tier_no where {CYD}", 1),
    "nothing_is_owed_beside_unspent_points": (
        f"insert into debts select member_no, 1, 5 from accounts where {CYD}",
        1,
    ),
    "periods_are_closed_in_turn": ("update periods set state = 'open' where period = '2026-02-01'", 2),
    "posted_points_are_the_floor_of_the_exact_sum": (
        f"update statements set exact_sum = exact_sum + 1 where period = '2026-03-01' and {ANN}",
        1,
    ),
    "proposed_upgrades_have_a_review": (f"delete from reviews where {CYD}", 1),
    "recomputed_points_have_their_entries": (
        f"{_INTO_ENTRIES} select '2026-06-01', a.member_no, 'correction', 2026020001, 5, now(), now() from {_ANNS}",
        1,
    ),
    "real_time_has_posted_the_floor": (
        f"insert into till_sums select member_no, '2026-04-01', 0.5, 1 from members where {ANN}",
        2,
    ),
    "redemptions_are_their_entries": (
        (
            "insert into redemptions (member_no, period, entry_id, points, worth, purpose, state, asked_at, held_until)"
            " values (1, '2026-04-01', 0, 5, 5, 'money_off', 'held', '2026-04-02', '2026-04-02')"
        ),
        1,
    ),
    "referrals_are_paid_to_both_sides": (
        (
            "insert into referrals (referrer_no, referred_no, made_at, year, referrer_points, referred_points, state,"
            " referrer_paid, settled_at) values (1, 2, '2026-04-01', 2026, 50, 25, 'paid', true, '2026-04-02')"
        ),
        1,
    ),
    "refunds_never_exceed_their_sale": (
        "update transactions set amount = 30001 where transaction_id = 'A2'",
        1,
    ),
    "rewards_are_of_upward_moves": ("update gift_dispatches set earned_at = earned_at + interval '1 second'", 1),
    "spend_is_what_counts_of_the_transactions": (
        f"update statements set spend = spend + 1 where period = '2026-02-01' and {ANN}",
        1,
    ),
    "statements_are_the_sums_of_their_entries": (
        f"update statements set points_earned = 7, closing_balance = 7 where period = '2026-05-01' and {CYD}",
        1,
    ),
    "statements_count_their_transactions": (
        f"update statements set transactions = transactions + 1 where period = '2026-02-01' and {ANN}",
        1,
    ),
    "statements_follow_each_other": (f"delete from statements where period = '2026-03-01' and {CYD}", 1),
    "tiers_are_those_of_the_newest_move": (f"update accounts set tier_no = 1 where {CYD}", 1),
    "transactions_have_their_keys": ("delete from transaction_keys where transaction_id = 'A1'", 1),
    "upgrades_put_to_managers_were_approved": (
        (
            "insert into reviews (member_no, tier_no, from_tier_no, period, qualifying_points, spend, asked_at, due_at)"
            f" select member_no, 2, 1, '2025-12-01', 20, 0, now(), now() from members where {ANN}"
        ),
        1,
    ),
    "upward_moves_brought_their_rewards": ("delete from gift_dispatches", 1),
    "vouchers_are_kept_once": (f"delete from voucher_archive where {ANN}", 1),
    "voucher_codes_are_registered": ("delete from voucher_codes where code in (select code from vouchers)", 1),
    "voucher_codes_have_their_check_symbol": ("insert into voucher_codes values ('0000000000010', 1)", 1),
    "vouchers_are_used_once": ("insert into voucher_uses (code, redeemed_at) values ('none of ours', '2026-04-02')", 1),
    "write_offs_have_their_debit": (f"{_NO_GUARD}; update entries set cause = 7 where kind = 'write_off'", 1),
}


def test_sound_books_pass_every_check(books: Connection) -> None:
    """Law: a programme that was only ever run by the product gives no check anything to find."""
    found = {check.name: check.rows for check in verify.verify()}
    assert found == dict.fromkeys(verify.names(), ())


@pytest.mark.parametrize("name", verify.names())
def test_a_planted_fault_is_found(books: Connection, name: str) -> None:
    """Law: each check sees a fault of its kind, in the rows that have it and in no other."""
    fault, rows = FAULTS[name]
    books.execute(text(fault))
    assert len(run(books, f"checks/{name}").all()) == rows


def test_a_check_reports_the_first_rows_and_counts_all(books: Connection) -> None:
    """Law: however much is wrong, a check shows some rows and says how many there are."""
    many = "select 'n' || n, '2026-01-01' from generate_series(1, 2500) as n"
    books.execute(text(f"insert into members (customer_id, enrolled_at) {many}"))
    books.commit()
    try:
        found = {check.name: (check.found, len(check.rows)) for check in verify.verify() if not check.holds}
    finally:
        books.execute(text("delete from members where customer_id ~ '^n[0-9]+$'"))
        books.commit()
    assert found == {"every_member_has_an_account": (2500, verify.SHOWN)}

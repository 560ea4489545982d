-- does:   stores the rules of a programme as a new version, from a month on or, without one, since the beginning
-- again:  makes one more version; the caller asks rules/find_same first
-- params: from_period date, candidate boolean, applied_at timestamptz, applied_by text, document text, name text, currency text, starts_on date, languages text[], rate numeric, earning text, spend_window text, pending_days integer, earn_on_tax boolean, earn_on_shipping boolean, earn_on_tip boolean, earn_on_fee boolean, earn_on_gift_card boolean, earn_on_paid_with_points boolean, shortfall text, expiry_months integer, expiry_warning_days integer, undo_grace_days integer, qualify text, hold_months integer, downgrade text, review_above_points bigint, review_days integer, review_overdue text, review_again_months integer, approvers text[], reward_again_months integer, voucher_days integer, voucher_warning_days integer, receipts boolean, redemption_minimum bigint, redemption_step bigint, redemption_day_max bigint, point_value numeric, hold_minutes integer, enrolment text, claim_days integer, adjust_alone_max bigint
insert into loyalty.rules_versions (
    from_period, candidate, applied_at, applied_by, document,
    name, currency, starts_on, languages,
    rate, earning, spend_window, pending_days,
    earn_on_tax, earn_on_shipping, earn_on_tip, earn_on_fee, earn_on_gift_card, earn_on_paid_with_points,
    shortfall, expiry_months, expiry_warning_days, undo_grace_days,
    qualify, hold_months, downgrade,
    review_above_points, review_days, review_overdue, review_again_months, approvers,
    reward_again_months, voucher_days, voucher_warning_days, receipts,
    redemption_minimum, redemption_step, redemption_day_max, point_value, hold_minutes,
    adjust_alone_max, enrolment, claim_days
) values (
    coalesce(cast(:from_period as date), '-infinity'), :candidate, :applied_at, :applied_by, :document,
    :name, :currency, :starts_on, cast(:languages as text []),
    :rate, :earning, :spend_window, :pending_days,
    :earn_on_tax, :earn_on_shipping, :earn_on_tip, :earn_on_fee, :earn_on_gift_card, :earn_on_paid_with_points,
    :shortfall, :expiry_months, :expiry_warning_days, :undo_grace_days,
    :qualify, :hold_months, :downgrade,
    :review_above_points, :review_days, :review_overdue, :review_again_months, cast(:approvers as text []),
    :reward_again_months, :voucher_days, :voucher_warning_days, :receipts,
    :redemption_minimum, :redemption_step, :redemption_day_max, :point_value, :hold_minutes,
    :adjust_alone_max, :enrolment, :claim_days
)
returning version

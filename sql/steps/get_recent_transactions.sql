-- does:   the period's transactions, each once: what counts of it, its sale's period, and the rate and multiplier of its moment
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, period date, first_member bigint, stop_member bigint
insert into loyalty.work_transactions (
    run_no, member_no, transaction_no, sale_period, unnamed, occurred_at, eligible, points_per_unit
)
select
    :run_no,
    t.member_no,
    t.transaction_no,
    t.sale_period,
    t.unnamed,
    t.occurred_at,
    t.eligible,
    t.points_per_unit
from loyalty.rated_transactions as t
where t.booked_period = :period and t.member_no >= :first_member and t.member_no < :stop_member

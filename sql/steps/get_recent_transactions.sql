-- does:   the period's transactions, each once: what counts of it, its sale's period, and the rate and multiplier of its moment; those of
--         a member that share all but the amount stand in one row
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, period date, first_member bigint, stop_member bigint
insert into loyalty.work_transactions (
    run_no, member_no, sale_period, unnamed, points_per_unit, transactions, eligible
)
select
    :run_no,
    t.member_no,
    t.sale_period,
    t.unnamed,
    t.points_per_unit,
    count(*),
    sum(t.eligible)
from loyalty.rated_transactions as t
where t.booked_period = :period and t.member_no >= :first_member and t.member_no < :stop_member
    and t.account_no >= :first_member and t.account_no < :stop_member -- the planner carries equalities over a join, not ranges
group by t.member_no, t.sale_period, t.unnamed, t.points_per_unit
order by t.member_no

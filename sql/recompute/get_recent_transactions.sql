-- does:   the rows of the month, each once, as they would have been rated: step 2 of a recompute
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, recompute_no bigint, period date, first_member bigint, stop_member bigint
insert into loyalty.work_transactions (
    run_no, member_no, sale_period, unnamed, points_per_unit, transactions, eligible
)
select
    :run_no,
    r.member_no,
    r.sale_period,
    r.unnamed,
    r.due_per_unit,
    count(*),
    sum(r.eligible)
from loyalty.recompute_rows as r
where r.recompute_no = :recompute_no and r.due_period = :period
    and r.member_no >= :first_member and r.member_no < :stop_member
group by r.member_no, r.sale_period, r.unnamed, r.due_per_unit
order by r.member_no

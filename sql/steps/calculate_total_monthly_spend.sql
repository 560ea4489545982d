-- does:   eligible amounts summed per member, over the period or, where the rules say so, over the thirty days up to its end
-- again:  the step's mark, written in the same transaction, makes a repeat skip; the rows go with the run
-- params: run_no bigint, period date, first_member bigint, stop_member bigint, spend_window text
with counted as (
    select
        w.member_no,
        w.transactions,
        case when :spend_window = 'period' then w.eligible else 0 end as spend
    from loyalty.work_transactions as w
    where w.run_no = :run_no and w.member_no >= :first_member and w.member_no < :stop_member
    union all
    select
        t.member_no,
        0 as transactions,
        t.eligible as spend
    from loyalty.eligible_transactions as t
    where :spend_window = 'last_30_days'
        and t.member_no >= :first_member and t.member_no < :stop_member
        and t.booked_period in (:period, (:period - interval '1 month')::date)
        and t.occurred_at >= loyalty.day_start((:period + interval '1 month')::date - 30)
        and t.occurred_at < loyalty.period_start((:period + interval '1 month')::date)
)

insert into loyalty.work_spend (run_no, member_no, transactions, spend)
select
    :run_no,
    member_no,
    sum(transactions)::integer,
    sum(spend)::bigint
from counted
group by member_no
order by member_no

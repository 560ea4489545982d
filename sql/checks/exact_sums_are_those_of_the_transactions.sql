-- does:   finds accounts whose exact sum is not that of all transactions booked through the last statement, each rated anew
-- again:  reads only
-- params: none
with rated as (
    select
        t.member_no,
        sum(t.eligible * t.points_per_unit) as exact
    from loyalty.rated_transactions as t
    inner join loyalty.periods as p on t.booked_period = p.period
    inner join loyalty.accounts as o on t.member_no = o.member_no
    where p.state = 'closed' or t.booked_period <= o.stated_period
    group by t.member_no
)

select
    a.member_no,
    a.stated_period,
    a.exact_sum,
    r.exact as of_transactions
from loyalty.accounts as a
left join rated as r on a.member_no = r.member_no
where a.exact_sum <> coalesce(r.exact, 0)

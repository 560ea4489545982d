-- does:   finds accounts whose exact sum is not that of all transactions booked through the last statement, each rated anew
-- again:  reads only
-- params: none
with rated as (
    select
        t.member_no,
        t.booked_period,
        sum(t.eligible * t.points_per_unit) as exact
    from loyalty.rated_transactions as t
    group by t.member_no, t.booked_period
),

due as (
    select
        r.member_no,
        sum(r.exact) as exact
    from rated as r
    inner join loyalty.accounts as o on r.member_no = o.member_no
    inner join loyalty.periods as p on r.booked_period = p.period
    where p.state = 'closed' or r.booked_period <= o.stated_period
    group by r.member_no
)

select
    a.member_no,
    a.stated_period,
    a.exact_sum,
    d.exact as of_transactions
from loyalty.accounts as a
left join due as d on a.member_no = d.member_no
where a.exact_sum <> coalesce(d.exact, 0)

-- does:   finds statements of closed periods that are not the sums of their entries by kind, and entries there without a statement
-- again:  reads only
-- params: none
with posted as (
    select
        e.period,
        e.member_no,
        sum(case when e.kind in ('earn', 'take_back') then e.points else 0 end) as earned,
        -sum(case when e.kind in ('redeem', 'undo') then e.points else 0 end) as redeemed,
        -sum(case when e.kind = 'expire' then e.points else 0 end) as expired,
        sum(case when e.kind in ('earn', 'take_back', 'redeem', 'undo', 'expire') then 0 else e.points end) as adjusted
    from loyalty.entries as e
    inner join loyalty.periods as p on e.period = p.period
    where p.state = 'closed'
    group by e.period, e.member_no
)

select
    coalesce(s.period, e.period) as period,
    coalesce(s.member_no, e.member_no) as member_no,
    s.points_earned,
    e.earned,
    s.points_redeemed,
    e.redeemed,
    s.points_expired,
    e.expired,
    s.points_adjusted,
    e.adjusted
from (
    select o.* from loyalty.statements as o
    inner join loyalty.periods as p on o.period = p.period
    where p.state = 'closed'
) as s
full join posted as e on s.period = e.period and s.member_no = e.member_no
where (s.points_earned, s.points_redeemed, s.points_expired, s.points_adjusted) is distinct from (
    coalesce(e.earned, 0), coalesce(e.redeemed, 0), coalesce(e.expired, 0), coalesce(e.adjusted, 0)
)

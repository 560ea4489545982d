-- does:   finds months in which real time has not posted what its sums say, and members for whom that is not the floor of all it knows
-- again:  reads only
-- params: none
with posted as (
    select
        e.period,
        e.member_no,
        sum(e.points) as points
    from (
        select x.period, x.member_no, x.points from loyalty.entries as x
        where x.kind in ('earn', 'take_back')
        union all
        select o.period, o.member_no, o.points from loyalty.moved_earnings as o
    ) as e
    inner join loyalty.till_sums as s on e.period = s.period and e.member_no = s.member_no
    group by e.period, e.member_no
)

select
    s.member_no,
    s.period,
    s.posted,
    p.points
from loyalty.till_sums as s
left join posted as p on s.period = p.period and s.member_no = p.member_no
where s.posted <> coalesce(p.points, 0)
union all
select
    s.member_no,
    null,
    s.posted,
    floor(a.exact_sum + s.exact) - floor(a.exact_sum)
from (
    select
        t.member_no,
        sum(t.exact) as exact,
        sum(t.posted) as posted
    from loyalty.till_sums as t
    group by t.member_no
) as s
inner join loyalty.accounts as a on s.member_no = a.member_no
where s.posted <> floor(a.exact_sum + s.exact) - floor(a.exact_sum)

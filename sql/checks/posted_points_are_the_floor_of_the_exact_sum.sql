-- does:   finds statements through which other points were earned, merges moving some, than the floor of the member's exact sum
-- again:  reads only
-- params: none
select
    r.period,
    r.member_no,
    r.posted,
    r.exact_sum
from (
    select
        s.period,
        s.member_no,
        s.exact_sum,
        sum(s.points_earned) over (partition by s.member_no order by s.period)
        + case when m.member_no is null then 0 else (
            select coalesce(sum(x.points), 0)
            from (
                select o.points from loyalty.moved_earnings as o
                where o.member_no = s.member_no and o.period <= s.period
                union all
                select t.earned_points from loyalty.transfer_states as t
                where t.member_no = s.member_no and t.from_period <= s.period
            ) as x
        ) end as posted
    from loyalty.statements as s
    left join (select distinct t.member_no from loyalty.transfer_states as t) as m on s.member_no = m.member_no
) as r
where r.posted <> floor(r.exact_sum)

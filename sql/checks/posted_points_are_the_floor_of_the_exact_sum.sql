-- does:   finds statements through which other points were earned than the floor of the member's exact sum
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
        sum(s.points_earned) over (partition by s.member_no order by s.period) as posted
    from loyalty.statements as s
) as r
where r.posted <> floor(r.exact_sum)

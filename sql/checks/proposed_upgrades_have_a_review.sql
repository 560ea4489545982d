-- does:   finds statements of closed periods that propose a tier no review was asked for, and reviews that no statement proposed
-- again:  reads only
-- params: none
select
    s.period,
    s.member_no,
    s.proposed_tier as tier_no
from loyalty.statements as s
inner join loyalty.periods as p on s.period = p.period and p.state = 'closed'
where s.proposed_tier is not null
    and not exists (
        select from loyalty.reviews as r
        where r.member_no = s.member_no and r.tier_no = s.proposed_tier and r.period <= s.period
    )
union all
select
    r.period,
    r.member_no,
    r.tier_no
from loyalty.reviews as r
left join loyalty.statements as s on r.period = s.period and r.member_no = s.member_no
where r.tier_no is distinct from s.proposed_tier

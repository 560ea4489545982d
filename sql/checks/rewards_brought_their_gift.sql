-- does:   finds gifts without a task for the warehouse, but for the period that is closing, and tasks without a gift
-- again:  reads only
-- params: none
select
    coalesce(w.member_no, g.member_no) as member_no,
    coalesce(w.tier_no, g.tier_no) as tier_no,
    coalesce(w.earned_at, g.earned_at) as earned_at,
    w.gift,
    g.gift as to_be_sent
from (select * from loyalty.rewards as r where r.gift is not null) as w
full join loyalty.gift_dispatches as g
    on w.member_no = g.member_no and w.tier_no = g.tier_no and w.earned_at = g.earned_at
where w.gift is distinct from g.gift
    and not exists (
        select from loyalty.periods as p
        where p.state = 'closing' and p.ends_at = w.earned_at and g.gift is null
    )

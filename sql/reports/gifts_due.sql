-- does:   the gifts that the period's upgrades brought, by how far the warehouse is
-- again:  reads only
-- params: period date
select
    w.gift,
    coalesce(g.state, 'open') as state,
    count(*) as gifts
from loyalty.rewards as w
left join loyalty.gift_dispatches as g
    on w.member_no = g.member_no and w.tier_no = g.tier_no and w.earned_at = g.earned_at
where w.period = :period and w.earned_at >= loyalty.period_start(:period) and w.gift is not null
group by w.gift, coalesce(g.state, 'open')
order by w.gift, coalesce(g.state, 'open')

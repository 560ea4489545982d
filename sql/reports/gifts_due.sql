-- does:   the gifts that the period's upgrades brought, by how far the warehouse is
-- again:  reads only
-- params: period date
select
    g.gift,
    g.state,
    count(*) as gifts
from loyalty.gift_dispatches as g
where g.period = :period and g.earned_at >= loyalty.period_start(:period)
group by g.gift, g.state
order by g.gift, g.state

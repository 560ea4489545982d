-- does:   the campaigns that have begun by an instant and count purchases that come late: whether the time of each lasts, and whether it
--         is for all members
-- again:  reads only
-- params: at timestamptz
select
    c.campaign_no,
    c.name,
    c.gives,
    c.state,
    loyalty.campaign_until(c) > :at as lasts,
    num_nonnulls(c.tiers, c.segments, c.recency, c.frequency, c.money) = 0 as for_all
from loyalty.campaigns as c
where c.state in ('running', 'stopped') and c.begins_at <= :at and :at < loyalty.campaign_counts_until(c)
order by c.campaign_no

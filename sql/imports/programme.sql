-- does:   what an import needs of the programme: its zone and currency, when it starts, and the tier to enrol into
-- again:  reads only
-- params: as_of timestamptz
select
    p.time_zone,
    r.currency,
    loyalty.day_start(r.starts_on) as starts_at,
    l.tier_no as first_tier
from programme as p
inner join rules_in_force as r on r.starts_at <= :as_of and :as_of < r.ends_at
inner join ladder as l on r.version = l.version and l.rung = 1

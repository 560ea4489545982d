-- does:   where a period stands: its bounds and state, the newest period closed or closing, and the first month that must be closed first
-- again:  reads only
-- params: period date
select
    p.time_zone,
    loyalty.period_start(:period) as starts_at,
    loyalty.period_start((:period + interval '1 month')::date) as ends_at,
    coalesce((select s.state from loyalty.periods as s where s.period = :period), 'open') as state,
    (select max(s.period) from loyalty.periods as s where s.state = 'closed') as newest_closed,
    (select min(s.period) from loyalty.periods as s where s.state = 'closed') as oldest_closed,
    (select min(s.period) from loyalty.periods as s where s.state = 'closing') as closing,
    (
        select min(s.period) from loyalty.periods as s
        where s.state = 'open' and exists (select from loyalty.transactions as t where t.booked_period = s.period)
    ) as first_booked
from loyalty.programme as p

-- does:   finds closed periods without the record of their close, and closes of periods that are not closed
-- again:  reads only
-- params: none
select
    coalesce(p.period, c.period) as period,
    p.state,
    c.started_at,
    c.finished_at
from loyalty.periods as p
full join loyalty.closes as c on p.period = c.period
where (p.state = 'closed') is distinct from (c.finished_at is not null)

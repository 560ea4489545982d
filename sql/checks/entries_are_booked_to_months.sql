-- does:   finds entries whose period is no month, or lies before the first closed one
-- again:  reads only
-- params: none
select
    e.entry_id,
    e.member_no,
    e.period
from loyalty.entries as e
cross join (
    select coalesce(min(p.period), '-infinity') as period
    from loyalty.periods as p
    where p.state = 'closed'
) as oldest
where extract(day from e.period) <> 1 or e.period < oldest.period

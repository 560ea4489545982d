-- does:   the messages to members that were given up in a month, by reason, the most frequent reason first
-- again:  reads only
-- params: period date
select
    coalesce(o.reason, 'unknown') as reason,
    count(*) as messages
from loyalty.outbox as o
where o.state in ('withheld', 'failed') and o.finished_at >= loyalty.period_start(:period)
    and o.finished_at < loyalty.period_start((:period + interval '1 month')::date)
group by coalesce(o.reason, 'unknown')
order by count(*) desc, coalesce(o.reason, 'unknown')

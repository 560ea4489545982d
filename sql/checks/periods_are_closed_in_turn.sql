-- does:   finds a month that was left out, is out of bounds, or stands open before a closed one with something booked to it
-- again:  reads only
-- params: none
with months as (
    select
        p.*,
        lag(p.period) over (partition by p.state order by p.period) as one_before
    from loyalty.periods as p
),

newest as (
    select max(p.period) as period from loyalty.periods as p
    where p.state = 'closed'
)

select
    m.period,
    m.state,
    m.starts_at,
    m.ends_at
from months as m
left join newest as n on true
where m.starts_at <> loyalty.period_start(m.period)
    or m.ends_at <> loyalty.period_start((m.period + interval '1 month')::date)
    or (m.state = 'closed' and m.period <> coalesce((m.one_before + interval '1 month')::date, m.period))
    or (m.state = 'closing' and m.period <> coalesce((n.period + interval '1 month')::date, m.period))
    or (m.state = 'closing' and m.one_before is not null)
    or (
        m.state <> 'closed' and m.period < n.period
        and exists (select from loyalty.transactions as t where t.booked_period = m.period)
    )

-- does:   the messages of the period's close, by kind and state, each kind found in the unique key's own order: upgrades by their
--         instant, which is the period's end or later, the others by the period
-- again:  reads only
-- params: period date
select
    k.kind,
    m.state,
    m.messages
from (values ('points_credited'), ('tier_at_risk'), ('tier_changed_down')) as k (kind)
cross join lateral (
    select
        o.state,
        count(*) as messages
    from loyalty.outbox as o
    where o.kind = k.kind::loyalty.message_kind and o.occasion = to_char(:period, 'YYYY-MM')
    group by o.state
) as m
union all
select
    'tier_upgrade' as kind,
    o.state,
    count(*) as messages
from loyalty.outbox as o
where o.kind = 'tier_upgrade' and o.facts ->> 'period' = to_char(:period, 'YYYY-MM')
    and o.occasion >= to_char(
        loyalty.period_start((:period + interval '1 month')::date) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
    )
group by o.state
order by kind, state

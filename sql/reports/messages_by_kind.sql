-- does:   the messages of the period's close, by kind and state, each kind found in the unique key's own order; of upgrades those of the
--         close by its instant, and those that managers approved later by their moves
-- again:  reads only
-- params: period date
with told as (
    select
        'points_credited' as kind,
        to_char(:period, 'YYYY-MM') as occasion
    union all
    select
        'tier_at_risk',
        to_char(:period, 'YYYY-MM')
    union all
    select
        'tier_changed_down',
        to_char(:period, 'YYYY-MM')
    union all
    select
        'tier_upgrade',
        loyalty.occasion_of(loyalty.period_start((:period + interval '1 month')::date))
),

counted as (
    select
        t.kind,
        m.state,
        m.messages
    from told as t
    cross join lateral (
        select
            o.state,
            count(*) as messages
        from loyalty.outbox as o
        where o.kind = t.kind::loyalty.message_kind and o.occasion = t.occasion
        group by o.state
    ) as m
    union all
    select
        'tier_upgrade',
        o.state,
        count(*)
    from loyalty.tier_history as h
    inner join loyalty.outbox as o
        on h.member_no = o.member_no and o.kind = 'tier_upgrade' and o.occasion = loyalty.occasion_of(h.effective_at)
    where h.period = :period and h.upward and h.review_no is not null
        and h.effective_at > loyalty.period_start((:period + interval '1 month')::date)
    group by o.state
)

select
    c.kind,
    c.state,
    sum(c.messages)::bigint as messages
from counted as c
group by c.kind, c.state
order by c.kind, c.state

-- does:   a member's lots as they stood at an instant, whatever the daily job has recorded; in_books is what the ledger then still
--         held in them, but for what of their expiries was reversed
-- again:  reads only
-- params: member_no bigint, as_of timestamptz
with months as materialized (
    select month::date as period
    from (select min(x.period) as first_one, max(x.period) as last_one from loyalty.entries as x) as span
    cross join generate_series(span.first_one, span.last_one, interval '1 month') as month
),

posted as materialized (
    select e.*
    from months as m
    cross join lateral (
        select * from loyalty.entries as o where o.period = m.period and o.member_no = :member_no
    ) as e
    where e.occurred_at <= :as_of
),

used as (
    select
        u.lot_no,
        sum(u.points)::bigint as points
    from (
        select o.lot_no, o.entry_id, o.points from loyalty.lot_uses as o where o.member_no = :member_no
        union all
        select r.lot_no, r.entry_id, -r.points from loyalty.lot_returns as r where r.member_no = :member_no
    ) as u
    inner join posted as p on u.entry_id = p.entry_id
    group by u.lot_no
),

expired as (
    select
        p.cause as lot_no,
        -p.points as points
    from posted as p
    where p.kind = 'expire'
)

select
    l.lot_no,
    p.kind,
    l.period,
    l.points,
    coalesce(u.points, 0) as used,
    case
        when l.expires_at <= :as_of then l.points - coalesce(u.points, 0)
        else coalesce(x.points, 0)
    end as expired,
    case
        when l.expires_at <= :as_of then 0
        else l.points - coalesce(u.points, 0) - coalesce(x.points, 0)
    end as remaining,
    case
        when l.points = coalesce(u.points, 0) then 'used'
        when l.expires_at <= :as_of then 'expired'
        when l.available_at > :as_of then 'pending'
        else 'available'
    end as state,
    l.available_at,
    l.expires_at,
    l.origin_lot_no,
    l.points - coalesce(u.points, 0) - coalesce(x.points, 0) as in_books
from loyalty.lots as l
inner join posted as p on l.lot_no = p.entry_id
left join used as u on l.lot_no = u.lot_no
left join expired as x on l.lot_no = x.lot_no
where l.member_no = :member_no
order by l.lot_no

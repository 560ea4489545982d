-- does:   counts what was done for each limit of its kind by the rules of its day; the first limit that is broken with it, if any. Who counts
--         the same waits for this transaction
-- again:  counts again; the caller's transaction has a key of its own
-- params: kind text, member_no bigint, till text, staff text, location text, points bigint, happened_at timestamptz
with limits as (
    select
        l.*,
        case l.per
            when 'member' then cast(:member_no as text)
            when 'till' then :till
            when 'staff' then :staff
            else :location
        end as subject,
        date_trunc(l.span, cast(:happened_at as timestamptz) at time zone g.time_zone) as starts_at
    from loyalty.velocity_limits as l
    inner join loyalty.rules_in_force as v
        on l.version = v.version and v.starts_at <= :happened_at and :happened_at < v.ends_at
    cross join loyalty.programme as g
    where l.kind = :kind
),

counted as (
    insert into loyalty.velocity_counts as c (kind, per, span, subject, starts_at, points, events)
    select distinct
        l.kind,
        l.per,
        l.span,
        l.subject,
        l.starts_at,
        cast(:points as bigint),
        1
    from limits as l
    where l.subject is not null
    order by l.kind, l.per, l.span, l.subject, l.starts_at
    on conflict (kind, per, span, subject, starts_at)
    do update set points = c.points + excluded.points, events = c.events + excluded.events
    returning c.per, c.span, c.points, c.events
)

select
    l.per,
    l.span,
    l.measure,
    l.most
from limits as l
inner join counted as c on l.per = c.per and l.span = c.span
where case l.measure when 'points' then c.points else c.events end > l.most
order by l.place
limit 1

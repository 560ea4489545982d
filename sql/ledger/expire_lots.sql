-- does:   records what is left of lots past their instant as expired, in the period of their last valid day or, where that is no longer
--         open (nor the one being closed), in the earliest open one; the accounts are locked first, in member order
-- again:  a lot with nothing left is not found, and the entry's key is the lot
-- params: first_member bigint, stop_member bigint, as_of timestamptz, recorded_at timestamptz, closing date
with locked as (
    select a.member_no from loyalty.accounts as a
    where a.member_no >= :first_member and a.member_no < :stop_member and a.member_no in (
        select l.member_no from loyalty.lots as l
        where l.remaining > 0 and l.expires_at <= :as_of
            and l.member_no >= :first_member and l.member_no < :stop_member
    )
    order by a.member_no
    for update
),

newest_closed as (
    select coalesce(max(p.period), '-infinity') as period
    from loyalty.periods as p
    where p.state <> 'open' and p.period is distinct from cast(:closing as date)
),

due as (
    select
        l.member_no,
        l.lot_no,
        l.remaining,
        l.expires_at,
        greatest(
            date_trunc('month', (l.expires_at - interval '1 microsecond') at time zone g.time_zone),
            n.period + interval '1 month'
        )::date as period
    from loyalty.lots as l
    cross join newest_closed as n
    cross join loyalty.programme as g
    where l.remaining > 0 and l.expires_at <= :as_of
        and l.member_no >= :first_member and l.member_no < :stop_member
        and (select count(*) from locked) > 0
),

emptied as (
    update loyalty.lots as l
    set
        remaining = 0,
        expired = l.expired + d.remaining
    from due as d
    where l.member_no = d.member_no and l.lot_no = d.lot_no and l.remaining = d.remaining
        and l.member_no >= :first_member and l.member_no < :stop_member
    returning d.member_no, d.lot_no, d.remaining, d.expires_at, d.period
),

settled as (
    update loyalty.accounts as a
    set balance = a.balance - e.points
    from (select x.member_no, sum(x.remaining)::bigint as points from emptied as x group by x.member_no) as e
    where a.member_no = e.member_no and a.member_no >= :first_member and a.member_no < :stop_member
),

posted as (
    insert into loyalty.entries (period, member_no, kind, cause, points, occurred_at, recorded_at)
    select
        e.period,
        e.member_no,
        'expire',
        e.lot_no,
        -e.remaining,
        e.expires_at,
        :recorded_at
    from emptied as e
    order by e.member_no, e.lot_no
    returning points
)

select
    count(*) as lots,
    coalesce(-sum(p.points), 0)::bigint as points
from posted as p

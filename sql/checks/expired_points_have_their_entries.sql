-- does:   finds lots that expired by more than their expiries say, and members whose lots' expired points are not those of their
--         expiries less what take-backs gave back of them
-- again:  reads only
-- params: none
with recorded as (
    select
        e.member_no,
        e.cause as lot_no,
        -sum(e.points) as points
    from loyalty.entries as e
    where e.kind = 'expire'
    group by e.member_no, e.cause
),

lots as (
    select
        coalesce(l.member_no, r.member_no) as member_no,
        coalesce(l.lot_no, r.lot_no) as lot_no,
        coalesce(l.expired, 0) as expired,
        coalesce(r.points, 0) as points
    from (select * from loyalty.lots as o where o.expired <> 0) as l
    full join recorded as r on l.member_no = r.member_no and l.lot_no = r.lot_no
),

given_back as (
    select
        e.member_no,
        sum(e.points) as points
    from loyalty.entries as e
    where e.kind = 'expiry_reversed'
    group by e.member_no
)

select
    x.member_no,
    x.lot_no,
    x.expired,
    x.points as by_entries
from lots as x
where x.expired > x.points
union all
select
    coalesce(t.member_no, g.member_no),
    null,
    coalesce(t.expired, 0),
    coalesce(t.points, 0) - coalesce(g.points, 0)
from (
    select
        x.member_no,
        sum(x.expired) as expired,
        sum(x.points) as points
    from lots as x
    group by x.member_no
) as t
full join given_back as g on t.member_no = g.member_no
where coalesce(t.expired, 0) <> coalesce(t.points, 0) - coalesce(g.points, 0)

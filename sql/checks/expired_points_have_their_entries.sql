-- does:   finds lots whose expired points are not those of their expiries less what take-backs gave back of them
-- again:  reads only
-- params: none
with posted as (
    select
        e.member_no,
        e.cause as lot_no,
        -e.points as points
    from loyalty.entries as e
    where e.kind = 'expire'
    union all
    select
        r.member_no,
        c.entry_id,
        -r.points
    from loyalty.entries as r
    left join loyalty.entries as c
        on r.member_no = c.member_no and c.kind = 'earn' and c.cause = 0
        and c.period = to_date(r.cause::text, 'YYYYMM')
    where r.kind = 'expiry_reversed'
),

expired as (
    select
        p.member_no,
        p.lot_no,
        sum(p.points) as points
    from posted as p
    group by p.member_no, p.lot_no
)

select
    coalesce(l.member_no, x.member_no) as member_no,
    coalesce(l.lot_no, x.lot_no) as lot_no,
    l.expired,
    x.points as by_entries
from (select * from loyalty.lots as o where o.expired <> 0) as l
full join expired as x on l.member_no = x.member_no and l.lot_no = x.lot_no
where coalesce(l.expired, 0) is distinct from coalesce(x.points, 0)

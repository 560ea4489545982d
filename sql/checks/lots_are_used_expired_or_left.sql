-- does:   finds lots whose points are not what is left, what debits used and did not give back, and what expired; and uses of a lot that
--         is not there
-- again:  reads only
-- params: none
with used as (
    select
        u.member_no,
        u.lot_no,
        sum(u.points) as points
    from (
        select o.member_no, o.lot_no, o.points from loyalty.lot_uses as o
        union all
        select r.member_no, r.lot_no, -r.points from loyalty.lot_returns as r
    ) as u
    group by u.member_no, u.lot_no
)

select
    member_no,
    lot_no,
    l.points,
    l.remaining,
    l.expired,
    u.points as used
from loyalty.lots as l
full join used as u using (member_no, lot_no)
where l.points is distinct from l.remaining + l.expired + coalesce(u.points, 0)

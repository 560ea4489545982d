-- does:   finds redemptions that are not the points of their entry, or came back without an undo, or stand with one; redeem entries of
--         no redemption; and undone ones whose points are not in the lots they came from, or in a new one
-- again:  reads only
-- params: none
with undone as (
    select
        e.member_no,
        e.cause as redemption_no,
        e.points,
        coalesce((
            select sum(r.points) from loyalty.lot_returns as r
            where r.member_no = e.member_no and r.entry_id = e.entry_id
        ), 0) + coalesce((
            select l.points from loyalty.lots as l where l.member_no = e.member_no and l.lot_no = e.entry_id
        ), 0) as returned
    from loyalty.entries as e
    where e.kind = 'undo'
)

select
    coalesce(r.redemption_no, e.cause) as redemption_no,
    coalesce(r.member_no, e.member_no) as member_no,
    r.state,
    r.points,
    e.points as debited,
    u.points as undone,
    u.returned
from loyalty.redemptions as r
full join (select * from loyalty.entries as o where o.kind = 'redeem') as e on r.redemption_no = e.cause
left join undone as u on r.redemption_no = u.redemption_no
where (r.member_no, r.period, r.entry_id, -r.points) is distinct from (e.member_no, e.period, e.entry_id, e.points)
    or (r.state in ('cancelled', 'lapsed')) <> (u.redemption_no is not null)
    or (u.redemption_no is not null and (u.member_no, u.points, u.returned) is distinct from (r.member_no, r.points, r.points))

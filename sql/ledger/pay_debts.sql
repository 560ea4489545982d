-- does:   pays what members of the range owe from what their lots hold, the oldest debit first: owed and unspent points never stand together
-- again:  a debt paid is gone, and what is left of it is found again only with a lot that can pay
-- params: first_member bigint, stop_member bigint
with owed as (
    select
        d.member_no,
        d.entry_id,
        d.owed,
        sum(d.owed) over (partition by d.member_no order by d.entry_id) as up_to
    from loyalty.debts as d
    where d.member_no >= :first_member and d.member_no < :stop_member
),

held as (
    select
        l.member_no,
        l.lot_no,
        l.remaining,
        sum(l.remaining) over (partition by l.member_no order by l.expires_at asc nulls last, l.lot_no) as up_to
    from loyalty.lots as l
    where l.remaining > 0 and l.member_no in (select o.member_no from owed as o)
),

paid as (
    select
        o.member_no,
        o.entry_id,
        h.lot_no,
        (least(o.up_to, h.up_to) - greatest(o.up_to - o.owed, h.up_to - h.remaining))::bigint as points
    from owed as o
    inner join held as h
        on o.member_no = h.member_no and o.up_to > h.up_to - h.remaining and h.up_to > o.up_to - o.owed
),

drawn as (
    update loyalty.lots as l
    set remaining = l.remaining - p.points
    from (select x.member_no, x.lot_no, sum(x.points)::bigint as points from paid as x group by x.member_no, x.lot_no) as p
    where l.member_no = p.member_no and l.lot_no = p.lot_no
),

used as (
    insert into loyalty.lot_uses as u (member_no, lot_no, entry_id, points)
    select
        p.member_no,
        p.lot_no,
        p.entry_id,
        p.points
    from paid as p
    -- points that came back to a lot which the debit had used before
    on conflict (member_no, entry_id, lot_no) do update set points = u.points + excluded.points
),

repaid as (
    select
        o.member_no,
        o.entry_id,
        o.owed - sum(p.points)::bigint as left_owed
    from owed as o
    inner join paid as p on o.member_no = p.member_no and o.entry_id = p.entry_id
    group by o.member_no, o.entry_id, o.owed
),

cleared as (
    delete from loyalty.debts as d
    using repaid as r
    where d.member_no = r.member_no and d.entry_id = r.entry_id and r.left_owed = 0
)

update loyalty.debts as d
set owed = r.left_owed
from repaid as r
where d.member_no = r.member_no and d.entry_id = r.entry_id and r.left_owed > 0

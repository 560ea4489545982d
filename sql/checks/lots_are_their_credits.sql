-- does:   finds lots that are not their entry's points, and earned points without a lot
-- again:  reads only
-- params: none
select
    coalesce(l.member_no, e.member_no) as member_no,
    l.lot_no,
    l.points,
    e.entry_id,
    e.kind,
    e.points as credited
from loyalty.lots as l
full join (
    select * from loyalty.entries as c
    where c.points > 0 and c.kind not in ('expiry_reversed', 'write_off')
) as e on l.lot_no = e.entry_id
where (l.lot_no is null and e.kind = 'earn')
    or (l.lot_no is not null and (l.member_no, l.period) is distinct from (e.member_no, e.period))
    or l.points > e.points
    or (e.kind = 'earn' and l.points < e.points)

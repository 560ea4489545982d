-- does:   which of a member's debits took how many points of which lot, expiries too; and what each debit still owes (no lot)
-- again:  reads only
-- params: member_no bigint
select
    u.entry_id,
    u.lot_no,
    u.points
from loyalty.lot_uses as u
where u.member_no = :member_no
union all
select
    e.entry_id,
    e.cause as lot_no,
    -e.points as points
from (
    select month::date as period
    from (select min(x.period) as first_one, max(x.period) as last_one from loyalty.entries as x) as span
    cross join generate_series(span.first_one, span.last_one, interval '1 month') as month
) as m
cross join lateral (
    select * from loyalty.entries as o where o.period = m.period and o.member_no = :member_no and o.kind = 'expire'
) as e
union all
select
    d.entry_id,
    null::bigint as lot_no,
    d.owed
from loyalty.debts as d
where d.member_no = :member_no
order by entry_id, lot_no

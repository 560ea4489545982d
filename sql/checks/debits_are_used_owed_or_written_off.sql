-- does:   finds debits that are not what they used of lots, what is still owed and what was written off; and uses and debts of no debit
-- again:  reads only
-- params: none
with parts as (
    select
        u.member_no,
        u.entry_id,
        u.points
    from loyalty.lot_uses as u
    union all
    select
        d.member_no,
        d.entry_id,
        d.owed
    from loyalty.debts as d
    union all
    select
        w.member_no,
        e.entry_id,
        w.points
    from loyalty.entries as w
    inner join loyalty.entries as e
        on w.period = e.period and w.member_no = e.member_no and w.cause = e.cause
        and e.points < 0 and e.kind in ('earn', 'take_back', 'correction', 'adjust', 'campaign')
    where w.kind = 'write_off'
),

settled as (
    select
        s.member_no,
        s.entry_id,
        sum(s.points) as points
    from parts as s
    group by s.member_no, s.entry_id
)

select
    coalesce(d.member_no, s.member_no) as member_no,
    coalesce(d.entry_id, s.entry_id) as entry_id,
    d.kind,
    d.points,
    s.points as settled
from (
    select * from loyalty.entries as e
    where e.points < 0 and e.kind <> 'expire'
) as d
full join settled as s on d.entry_id = s.entry_id
where d.member_no is distinct from s.member_no or -d.points is distinct from s.points

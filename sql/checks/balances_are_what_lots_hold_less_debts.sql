-- does:   finds accounts whose balance is not what is left in the member's lots less what the member owes
-- again:  reads only
-- params: none
with held as (
    select
        l.member_no,
        sum(l.remaining) as points
    from loyalty.lots as l
    group by l.member_no
),

owed as (
    select
        d.member_no,
        sum(d.owed) as points
    from loyalty.debts as d
    group by d.member_no
)

select
    member_no,
    a.balance,
    h.points as in_lots,
    o.points as owed
from loyalty.accounts as a
full join held as h using (member_no)
full join owed as o using (member_no)
where a.balance is distinct from coalesce(h.points, 0) - coalesce(o.points, 0)

-- does:   finds members who owe points and hold unspent ones, pending ones too
-- again:  reads only
-- params: none
select
    d.member_no,
    sum(d.owed) as owed,
    max(h.points) as in_lots
from loyalty.debts as d
inner join (
    select
        l.member_no,
        sum(l.remaining) as points
    from loyalty.lots as l
    where l.remaining > 0
    group by l.member_no
) as h on d.member_no = h.member_no
group by d.member_no

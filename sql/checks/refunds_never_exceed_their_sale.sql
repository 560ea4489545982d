-- does:   finds sales of which more was refunded than was paid, and refunds whose sale is missing or another member's
-- again:  reads only
-- params: none
with refunded as (
    select
        t.sale_no,
        t.sale_period,
        t.member_no,
        t.source_no,
        sum(case t.kind when 'refund' then t.amount else -t.amount end) as amount
    from loyalty.transactions as t
    where t.sale_no is not null
    group by t.sale_no, t.sale_period, t.member_no, t.source_no
)

select
    r.sale_no,
    r.member_no,
    s.amount,
    r.amount as refunded
from refunded as r
left join loyalty.transactions as s
    on r.sale_period = s.booked_period and r.member_no = s.member_no and r.sale_no = s.transaction_no
    and r.source_no = s.source_no and s.kind = 'sale'
where s.transaction_no is null or r.amount > s.amount or r.amount < 0

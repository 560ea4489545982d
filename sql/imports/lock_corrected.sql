-- does:   locks the ids of the rows of a file of corrections, of the sales they name, and of the sales of recorded refunds among them
-- again:  locks what is locked
-- params: none
with named as (
    select
        s.source_no,
        r.transaction_id,
        r.original_transaction_id
    from import_transactions as r
    inner join sources as s on r.source = s.name
    where r.reason is null and not r.later
)

select k.transaction_no
from transaction_keys as k
where (k.source_no, k.transaction_id) in (
    select n.source_no, n.transaction_id from named as n
    union all
    select n.source_no, n.original_transaction_id from named as n
    union all
    select o.source_no, o.transaction_id
    from named as n
    inner join transaction_keys as i on n.source_no = i.source_no and n.transaction_id = i.transaction_id
    inner join transactions as t
        on i.booked_period = t.booked_period and i.member_no = t.member_no and i.transaction_no = t.transaction_no
    inner join transactions as o
        on t.sale_period = o.booked_period and t.member_no = o.member_no and t.sale_no = o.transaction_no
)
order by k.source_no, k.transaction_id
for no key update

-- does:   finds transactions without the key that keeps them from coming twice, and keys without their transaction; of what was
--         corrected only the newest replacement has one
-- again:  reads only
-- params: none
select
    coalesce(t.source_no, k.source_no) as source_no,
    coalesce(t.transaction_id, k.transaction_id) as transaction_id,
    t.transaction_no,
    k.transaction_no as by_key
from (
    select o.* from loyalty.transactions as o
    where o.kind in ('sale', 'refund')
        and not exists (select from loyalty.corrections as c where c.corrected_no = o.transaction_no)
) as t
full join loyalty.transaction_keys as k on t.transaction_no = k.transaction_no
where (t.source_no, t.transaction_id, t.member_no, t.booked_period) is distinct from (
    k.source_no, k.transaction_id, k.member_no, k.booked_period
)

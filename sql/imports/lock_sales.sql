-- does:   locks the ids of the sales that refunds name, so that two who refund the same sale, or correct it, wait for each other
-- again:  locks what is locked
-- params: none
select k.transaction_no
from transaction_keys as k
where (k.source_no, k.transaction_id) in (
    select s.source_no, r.original_transaction_id
    from import_transactions as r
    inner join sources as s on r.source = s.name
    where r.reason is null and not r.unchanged and not r.later
)
order by k.source_no, k.transaction_id
for no key update

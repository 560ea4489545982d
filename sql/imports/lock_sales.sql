-- does:   locks the sales that refunds name, so that two who refund the same sale wait for each other
-- again:  locks what is locked
-- params: none
select t.transaction_no
from transactions as t
where (t.booked_period, t.member_no, t.transaction_no) in (
    select k.booked_period, k.member_no, k.transaction_no
    from import_transactions as r
    inner join sources as s on r.source = s.name
    inner join transaction_keys as k on s.source_no = k.source_no and r.original_transaction_id = k.transaction_id
    where r.reason is null and not r.unchanged and not r.later
)
order by t.transaction_no
for no key update

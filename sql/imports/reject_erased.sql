-- does:   rejects the rows of people who were erased
-- again:  rejects the same rows
-- params: none
update import_transactions as r
set reason = 'the member is erased'
from members as m
where m.customer_id = r.customer_id and m.erased_at is not null
    and r.reason is null and not r.unchanged and not r.later

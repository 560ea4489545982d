-- does:   leads the refunds that are taken along to the replacements of their sales
-- again:  leads them to the same ones
-- params: none
update import_transactions as r
set
    sale_no = t.transaction_no,
    sale_period = t.booked_period,
    exchange_rate = t.exchange_rate
from sources as s
inner join transaction_keys as k on s.source_no = k.source_no
inner join transactions as t
    on k.booked_period = t.booked_period and k.member_no = t.member_no and k.transaction_no = t.transaction_no
where r.carried and r.source = s.name and r.original_transaction_id = k.transaction_id

-- does:   finds the sale of each refund, or the reason why it has none
-- again:  finds the same sale: a recorded transaction does not change
-- params: none
update import_transactions as r
set
    sale_no = found.transaction_no,
    sale_period = found.booked_period,
    exchange_rate = found.exchange_rate,
    reason = case
        when found.kind is null then 'unknown original'
        when found.kind <> 'sale' then 'original is a refund'
        when found.customer_id <> r.customer_id then 'original is another customer''s sale'
        when found.currency <> r.currency then 'wrong currency: not that of the original'
    end
from (
    select i.line, t.kind, t.currency, t.exchange_rate, t.transaction_no, t.booked_period, m.customer_id
    from import_transactions as i
    left join sources as s on i.source = s.name
    left join transaction_keys as k on s.source_no = k.source_no and i.original_transaction_id = k.transaction_id
    left join transactions as t
        on k.booked_period = t.booked_period and k.member_no = t.member_no and k.transaction_no = t.transaction_no
    left join members as m on k.member_no = m.member_no
    where i.reason is null and not i.unchanged and not i.later
) as found
where r.line = found.line

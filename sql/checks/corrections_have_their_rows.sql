-- does:   finds corrections whose reversal does not repeat the corrected row, or whose replacement is not of the same id; and reversals
--         of nothing
-- again:  reads only
-- params: none
select
    c.corrected_no,
    coalesce(c.reversal_no, v.transaction_no) as reversal_no,
    c.replacement_no
from loyalty.corrections as c
full join (
    select * from loyalty.transactions as x
    where x.kind in ('sale_reversal', 'refund_reversal')
) as v on c.reversal_no = v.transaction_no
left join loyalty.transactions as t
    on c.corrected_period = t.booked_period and c.member_no = t.member_no and c.corrected_no = t.transaction_no
left join loyalty.transactions as n
    on c.replacement_period = n.booked_period and c.replacement_member_no = n.member_no
    and c.replacement_no = n.transaction_no and n.kind in ('sale', 'refund')
where (
    v.member_no, v.source_no, v.transaction_id, v.kind, v.occurred_at, v.amount, v.currency, v.exchange_rate, v.sale_no
) is distinct from (
    t.member_no, t.source_no, t.transaction_id, t.kind || '_reversal', t.occurred_at, t.amount, t.currency, t.exchange_rate, t.sale_no
)
or (v.tax, v.shipping, v.tip, v.fee, v.gift_card, v.paid_with_points) is distinct from (
    t.tax, t.shipping, t.tip, t.fee, t.gift_card, t.paid_with_points
)
or (n.source_no, n.transaction_id) is distinct from (t.source_no, t.transaction_id)

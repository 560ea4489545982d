-- does:   gives the refunds that name no currency that of their sale, and the programme's where there is no such sale; amounts that are
--         finer than it are the reason why a row can't be taken
-- again:  finds no such refund
-- params: currency text
update import_transactions as r
set
    currency = found.currency,
    amount = r.amount / found.part,
    tax = r.tax / found.part,
    shipping = r.shipping / found.part,
    tip = r.tip / found.part,
    fee = r.fee / found.part,
    gift_card = r.gift_card / found.part,
    paid_with_points = r.paid_with_points / found.part,
    discount = r.discount / found.part,
    reason = case
        when r.amount % found.part > 0 or r.amount / found.part >= 1000000000000000 then 'wrong amount'
        when r.tax % found.part > 0 then 'wrong amount of tax'
        when r.shipping % found.part > 0 then 'wrong amount of shipping'
        when r.tip % found.part > 0 then 'wrong amount of tip'
        when r.fee % found.part > 0 then 'wrong amount of fee'
        when r.gift_card % found.part > 0 then 'wrong amount of gift_card'
        when r.paid_with_points % found.part > 0 then 'wrong amount of paid_with_points'
        when r.discount % found.part > 0 or r.discount / found.part >= 1000000000000000 then 'wrong amount of discount'
    end
from (
    select
        i.line,
        c.currency,
        power(10::numeric, 4 - c.minor_digits)::bigint as part
    from import_transactions as i
    left join sources as s on i.source = s.name
    left join transaction_keys as k on s.source_no = k.source_no and i.original_transaction_id = k.transaction_id
    left join transactions as t
        on k.booked_period = t.booked_period and k.member_no = t.member_no and k.transaction_no = t.transaction_no
    inner join currencies as c on c.currency = coalesce(t.currency, :currency)
    where i.reason is null and i.currency is null
) as found
where r.line = found.line and r.currency is null

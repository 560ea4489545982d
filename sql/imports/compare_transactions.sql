-- does:   marks rows that are recorded already: unchanged where everything is the same; where something differs rejected or, in an
--         import of corrections, with the row that they correct
-- again:  marks the same rows
-- params: later boolean, correct boolean
update import_transactions as r
set
    unchanged = recorded.same,
    reason = case when not recorded.same and not :correct then 'same id with other content' end,
    corrected_no = case when not recorded.same and :correct then recorded.transaction_no end,
    corrected_period = case when not recorded.same and :correct then recorded.booked_period end,
    corrected_member_no = case when not recorded.same and :correct then recorded.member_no end
from (
    select
        i.line,
        t.transaction_no,
        t.booked_period,
        t.member_no,
        m.customer_id = i.customer_id and t.kind = i.kind and t.occurred_at = i.occurred_at and t.amount = i.amount
        and t.currency = i.currency and t.channel is not distinct from i.channel
        and t.location is not distinct from i.location and t.tax is not distinct from i.tax
        and t.shipping is not distinct from i.shipping and t.tip is not distinct from i.tip
        and t.fee is not distinct from i.fee and t.gift_card is not distinct from i.gift_card
        and t.paid_with_points is not distinct from i.paid_with_points
        and t.discount is not distinct from i.discount
        and o.transaction_id is not distinct from i.original_transaction_id as same
    from import_transactions as i
    inner join sources as s on i.source = s.name
    inner join transaction_keys as k on s.source_no = k.source_no and i.transaction_id = k.transaction_id
    inner join transactions as t
        on k.booked_period = t.booked_period and k.member_no = t.member_no and k.transaction_no = t.transaction_no
    inner join members as m on k.member_no = m.member_no
    left join transactions as o
        on t.sale_period = o.booked_period and t.member_no = o.member_no and t.sale_no = o.transaction_no
    where i.reason is null and i.later = :later
) as recorded
where r.line = recorded.line

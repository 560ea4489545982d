-- does:   takes along the recorded refunds of sales that are corrected: rows like the recorded ones, of the corrected sale's customer
-- again:  adds to this session's own tables, once before what they hold is recorded
-- params: zone text
insert into import_transactions (
    line, source, kind, transaction_id, customer_id, occurred_at, month, amount, currency,
    tax, shipping, tip, fee, gift_card, paid_with_points, discount, channel, location, original_transaction_id,
    corrected_no, corrected_period, corrected_member_no, carried
)
select
    r.line, r.source, o.kind, o.transaction_id, r.customer_id, o.occurred_at,
    date_trunc('month', o.occurred_at at time zone :zone)::date,
    o.amount, o.currency,
    o.tax, o.shipping, o.tip, o.fee, o.gift_card, o.paid_with_points, o.discount, o.channel, o.location, r.transaction_id,
    o.transaction_no, o.booked_period, o.member_no, true
from import_transactions as r
inner join transactions as o on r.corrected_no = o.sale_no
where r.reason is null and o.kind = 'refund'
    and not exists (select from corrections as c where c.corrected_no = o.transaction_no)
    and not exists (
        select from import_transactions as own
        where own.reason is null and own.corrected_no = o.transaction_no
    )

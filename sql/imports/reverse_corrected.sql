-- does:   books the reversals of the rows to be corrected: the same words, in the same period or, where that is closed, in the first
--         open one; their points are the corrected row's period's
-- again:  a row is corrected once, as its correction, recorded in the same transaction, has a key
-- params: first_open date, recorded_at timestamptz
with reversed as (
    insert into transactions (
        booked_period, member_no, source_no, transaction_id, kind, occurred_at, recorded_at, amount, currency, exchange_rate,
        tax, shipping, tip, fee, gift_card, paid_with_points, discount, channel, location, sale_no, sale_period
    )
    select
        greatest(t.booked_period, :first_open), t.member_no, t.source_no, t.transaction_id, t.kind || '_reversal',
        t.occurred_at, :recorded_at, t.amount, t.currency, t.exchange_rate,
        t.tax, t.shipping, t.tip, t.fee, t.gift_card, t.paid_with_points, t.discount, t.channel, t.location,
        t.sale_no,
        case when t.kind = 'sale' then coalesce(t.sale_period, t.booked_period) else t.sale_period end
    from import_transactions as r
    inner join transactions as t
        on r.corrected_period = t.booked_period and r.corrected_member_no = t.member_no and r.corrected_no = t.transaction_no
    where r.reason is null and r.corrected_no is not null
    order by t.booked_period, t.transaction_no
    returning transaction_no, source_no, transaction_id
)

update import_transactions as r
set reversal_no = v.transaction_no
from reversed as v
inner join sources as s on v.source_no = s.source_no
where r.source = s.name and r.transaction_id = v.transaction_id and r.reason is null and r.corrected_no is not null

-- does:   records the good rows that are new, members in order, each with its key
-- again:  the key of a recorded transaction refuses a second one; rows that are recorded were marked unchanged before
-- params: first_open date, recorded_at timestamptz
with recorded as (
    insert into transactions (
        booked_period, member_no, source_no, transaction_id, kind, occurred_at, recorded_at, amount, currency, exchange_rate,
        tax, shipping, tip, fee, gift_card, paid_with_points, discount, channel, location, sale_no, sale_period
    )
    select
        greatest(r.month, :first_open), m.member_no, s.source_no, r.transaction_id, r.kind, r.occurred_at, :recorded_at,
        r.amount, r.currency, r.exchange_rate,
        r.tax, r.shipping, r.tip, r.fee, r.gift_card, r.paid_with_points, r.discount, r.channel, r.location,
        r.sale_no, r.sale_period
    from import_transactions as r
    inner join members as m on r.customer_id = m.customer_id and m.erased_at is null
    inner join sources as s on r.source = s.name
    where r.reason is null and not r.unchanged and not r.later and r.corrected_no is null
    order by m.member_no, r.occurred_at, r.transaction_id
    returning source_no, transaction_id, transaction_no, member_no, booked_period
)

insert into transaction_keys (source_no, transaction_id, transaction_no, member_no, booked_period)
select source_no, transaction_id, transaction_no, member_no, booked_period from recorded
order by transaction_id, source_no

-- does:   books the replacements of corrected rows, records the corrections, and gives the replacements the ids; a late replacement of
--         the same member's late sale keeps its place: its points are that period's, so that what is right already is not moved
-- again:  the key of the corrected row refuses a second correction of it
-- params: first_open date, recorded_at timestamptz, carried boolean
with replaced as (
    insert into transactions (
        booked_period, member_no, source_no, transaction_id, kind, occurred_at, recorded_at, amount, currency, exchange_rate,
        tax, shipping, tip, fee, gift_card, paid_with_points, discount, channel, location, sale_no, sale_period
    )
    select
        greatest(r.month, :first_open), m.member_no, t.source_no, t.transaction_id, r.kind, r.occurred_at, :recorded_at,
        r.amount, r.currency, r.exchange_rate,
        r.tax, r.shipping, r.tip, r.fee, r.gift_card, r.paid_with_points, r.discount, r.channel, r.location,
        r.sale_no,
        case
            when r.sale_no is not null then r.sale_period
            when
                r.kind = 'sale' and t.kind = 'sale' and m.member_no = t.member_no
                and r.month < :first_open and coalesce(t.sale_period, t.booked_period) < :first_open
                then coalesce(t.sale_period, t.booked_period)
        end
    from import_transactions as r
    inner join transactions as t
        on r.corrected_period = t.booked_period and r.corrected_member_no = t.member_no and r.corrected_no = t.transaction_no
    inner join members as m on r.customer_id = m.customer_id and m.erased_at is null
    where r.reason is null and r.reversal_no is not null and r.carried = :carried
    order by t.booked_period, t.transaction_no
    returning source_no, transaction_id, transaction_no, member_no, booked_period
),

registered as (
    insert into corrections (
        corrected_no, corrected_period, member_no, reversal_no, replacement_no, replacement_period, replacement_member_no,
        carried, recorded_at
    )
    select
        r.corrected_no, r.corrected_period, r.corrected_member_no, r.reversal_no,
        v.transaction_no, v.booked_period, v.member_no, r.carried, :recorded_at
    from replaced as v
    inner join sources as s on v.source_no = s.source_no
    inner join import_transactions as r
        on s.name = r.source and v.transaction_id = r.transaction_id and r.reason is null and r.reversal_no is not null
)

update transaction_keys as k
set
    transaction_no = v.transaction_no,
    member_no = v.member_no,
    booked_period = v.booked_period
from replaced as v
where k.source_no = v.source_no and k.transaction_id = v.transaction_id

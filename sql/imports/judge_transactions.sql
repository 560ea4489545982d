-- does:   turns the words of each transaction into values, or finds the reason why the row can't be taken
-- again:  writes into this session's own tables, emptied before each part of the file
-- params: currency text, zone text, starts_at timestamptz, ends_at timestamptz
insert into import_transactions (
    line, source, kind, transaction_id, customer_id, occurred_at, month, amount, currency, exchange_rate,
    tax, shipping, tip, fee, gift_card, paid_with_points, discount, channel, location, original_transaction_id, reason
)
select
    v.line, v.source, v.kind, v.transaction_id, v.customer_id, v.occurred_at,
    date_trunc('month', v.local_time)::date,
    v.amount, v.currency,
    e.rate * v.minor_per_minor,
    v.tax, v.shipping, v.tip, v.fee, v.gift_card, v.paid_with_points, v.discount,
    v.channel, v.location, v.original_transaction_id,
    case
        when v.transaction_id is null then 'empty transaction_id'
        when v.customer_id is null then 'empty customer_id'
        when
            length(v.transaction_id) > 200 or length(v.customer_id) > 200 or length(v.source) > 100
            or length(v.original_transaction_id) > 200 or length(v.channel) > 200 or length(v.location) > 200
            then 'over-long field'
        when v.kind not in ('sale', 'refund') then 'wrong kind'
        when v.kind = 'sale' and v.original_transaction_id is not null then 'wrong kind: only a refund names an original'
        when v.occurred_at is null then 'wrong date'
        when v.occurred_at < :starts_at then 'date before the programme starts'
        when v.occurred_at > :ends_at then 'date more than a day ahead'
        when v.amount_pattern is null then 'wrong currency'
        when v.amount is null then 'wrong amount'
        when v.tax_given and v.tax is null then 'wrong amount of tax'
        when v.shipping_given and v.shipping is null then 'wrong amount of shipping'
        when v.tip_given and v.tip is null then 'wrong amount of tip'
        when v.fee_given and v.fee is null then 'wrong amount of fee'
        when v.gift_card_given and v.gift_card is null then 'wrong amount of gift_card'
        when v.paid_with_points_given and v.paid_with_points is null then 'wrong amount of paid_with_points'
        when v.discount_given and v.discount is null then 'wrong amount of discount'
        when
            coalesce(v.tax, 0) + coalesce(v.shipping, 0) + coalesce(v.tip, 0) + coalesce(v.fee, 0)
            + coalesce(v.gift_card, 0) + coalesce(v.paid_with_points, 0) > v.amount
            then 'wrong amount: its pieces are more than it'
        when v.currency <> :currency and e.rate is null and v.original_transaction_id is null then 'no rate for that day'
    end
from (
    -- offset 0 keeps the planner from working a value out again wherever it is used
    select
        w.*,
        w.occurred_at at time zone :zone as local_time
    from (
        select
            r.line, r.transaction_id, r.customer_id, r.channel, r.location, r.original_transaction_id,
            c.amount_pattern, c.minor_per_minor,
            coalesce(r.source, 'default') as source,
            coalesce(r.kind, 'sale') as kind,
            nullif(c.currency, '') as currency,
            case when loyalty.is_iso_instant(r.occurred_at) then r.occurred_at::timestamptz end as occurred_at,
            case when r.amount ~ c.amount_pattern then (r.amount::numeric * c.minor_units)::bigint end as amount,
            case when r.tax ~ c.amount_pattern then (r.tax::numeric * c.minor_units)::bigint end as tax,
            case when r.shipping ~ c.amount_pattern then (r.shipping::numeric * c.minor_units)::bigint end as shipping,
            case when r.tip ~ c.amount_pattern then (r.tip::numeric * c.minor_units)::bigint end as tip,
            case when r.fee ~ c.amount_pattern then (r.fee::numeric * c.minor_units)::bigint end as fee,
            case when r.gift_card ~ c.amount_pattern then (r.gift_card::numeric * c.minor_units)::bigint end as gift_card,
            case
                when r.paid_with_points ~ c.amount_pattern then (r.paid_with_points::numeric * c.minor_units)::bigint
            end as paid_with_points,
            case when r.discount ~ c.amount_pattern then (r.discount::numeric * c.minor_units)::bigint end as discount,
            r.tax is not null as tax_given,
            r.shipping is not null as shipping_given,
            r.tip is not null as tip_given,
            r.fee is not null as fee_given,
            r.gift_card is not null as gift_card_given,
            r.paid_with_points is not null as paid_with_points_given,
            r.discount is not null as discount_given
        from import_transactions_raw as r
        -- a refund that names its sale and no currency is in the sale's, which is found later: '' takes it as fine as money can be.
        -- Without any rate there are no sales in other currencies
        left join (
            select '' as currency, '^0*[0-9]{1,14}([.][0-9]{1,4}0*)?$' as amount_pattern, 1e4 as minor_units, null::numeric as minor_per_minor
            union all
            -- digits before the point so many that every amount stays below 10^15 minor units
            select
                k.currency,
                '^0*[0-9]{1,' || 15 - k.minor_digits || '}'
                || case when k.minor_digits = 0 then '([.]0+)?' else '([.][0-9]{1,' || k.minor_digits || '}0*)?' end
                || '$' as amount_pattern,
                ('1e' || k.minor_digits)::numeric as minor_units,
                ('1e' || p.minor_digits - k.minor_digits)::numeric as minor_per_minor
            from currencies as k
            cross join currencies as p
            where p.currency = :currency
        ) as c
            on c.currency = case
                when r.currency is null and r.original_transaction_id is not null
                    and (select exists (select from exchange_rates)) then ''
                else coalesce(r.currency, :currency)
            end
        offset 0
    ) as w
    offset 0
) as v
left join exchange_rates as e
    on v.currency <> :currency and e.currency = v.currency and e.day = v.local_time::date

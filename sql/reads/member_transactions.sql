-- does:   a member's transactions up to an instant with all that rates them: what counts, the rate and its rules' version, the tier
--         then held and its multiplier, the exact points; money in major units of its own currency, eligible in the programme's
-- again:  reads only
-- params: member_no bigint, as_of timestamptz
with months as materialized (
    select month::date as period
    from (select min(x.booked_period) as first_one, max(x.booked_period) as last_one from loyalty.transactions as x) as span
    cross join generate_series(span.first_one, span.last_one, interval '1 month') as month
)

select
    t.transaction_no,
    o.name as source,
    t.transaction_id,
    t.kind,
    t.occurred_at,
    t.booked_period,
    rated.sale_period,
    sale.transaction_id as sale,
    exists (select from loyalty.corrections as n where n.replacement_no = t.transaction_no) as corrects,
    t.amount * ('1e-' || c.minor_digits)::numeric as amount,
    t.currency,
    t.exchange_rate,
    rated.eligible * ('1e-' || v.minor_digits)::numeric as eligible,
    v.currency as eligible_currency,
    eligible.version as rules_version,
    trim_scale(v.rate) as rate,
    tier.name as tier,
    trim_scale(rated.points_per_unit / nullif(eligible.rate_per_unit, 0)) as multiplier,
    trim_scale(rated.eligible * rated.points_per_unit) as exact_points
from months as m
cross join lateral (
    select * from loyalty.rated_transactions as r where r.booked_period = m.period and r.member_no = :member_no
) as rated
cross join lateral (
    select * from loyalty.eligible_transactions as e
    where e.booked_period = rated.booked_period and e.member_no = :member_no and e.transaction_no = rated.transaction_no
) as eligible
inner join loyalty.transactions as t
    on rated.booked_period = t.booked_period and rated.member_no = t.member_no and rated.transaction_no = t.transaction_no
inner join loyalty.sources as o on t.source_no = o.source_no
inner join loyalty.currencies as c on t.currency = c.currency
inner join loyalty.rules_versions as v on eligible.version = v.version
inner join loyalty.accounts as a on t.member_no = a.member_no
inner join loyalty.tiers as tier
    on tier.tier_no = case
        when a.tier_since <= eligible.rated_at then a.tier_no
        else (
            select h.from_tier_no from loyalty.tier_history as h
            where h.member_no = t.member_no and h.effective_at > eligible.rated_at order by h.effective_at limit 1
        )
    end
left join loyalty.transactions as sale
    on t.sale_period = sale.booked_period and t.member_no = sale.member_no and t.sale_no = sale.transaction_no
where t.occurred_at <= :as_of
order by t.occurred_at, t.transaction_no

-- The rules as SQL reads them. The monthly run, reviews and real time all rate through these views; no rule is written twice.

-- Half-even rounding of an exact quotient of two whole numbers.
create function loyalty.half_even(numerator numeric, denominator numeric) returns bigint
language sql immutable parallel safe as $$
    select (
        div(2 * numerator + denominator, 2 * denominator)
        - case
            when mod(2 * numerator + denominator, 2 * denominator) = 0
                and mod(div(2 * numerator + denominator, 2 * denominator), 2) <> 0 then 1
            else 0
        end
    )::bigint
$$;

-- Half-even rounding of a decimal.
create function loyalty.half_even(amount numeric) returns bigint
language sql immutable parallel safe as $$
    select (case when abs(amount - trunc(amount)) = 0.5 then 2 * round(amount / 2) else round(amount) end)::bigint
$$;

-- The first instant of a month, in the programme's zone.
create function loyalty.period_start(period date) returns timestamptz
language sql stable parallel safe as $$
    select loyalty.day_start(period)
$$;

-- The month of an instant, in the programme's zone.
create function loyalty.period_of(instant timestamptz) returns date
language sql stable parallel safe as $$
    select date_trunc('month', instant at time zone p.time_zone)::date from loyalty.programme as p
$$;

-- The versions that are not overruled, each with the months it rules. A simulation of candidate rules names
-- its version in the setting loyalty.candidate of its own transaction; nobody else sees it.
create view loyalty.rules_in_force as
with visible as (
    select distinct on (v.from_period)
        v.*,
        -- points for one minor unit of the programme's currency, before the multiplier
        v.rate * ('1e-' || v.minor_digits)::numeric as rate_per_unit
    from loyalty.rules_versions as v
    where not v.candidate or v.version = nullif(current_setting('loyalty.candidate', true), '')::integer
    order by v.from_period asc, v.candidate desc, v.version desc
)

select
    v.*,
    coalesce(lead(v.from_period) over (order by v.from_period), 'infinity') as until_period,
    coalesce(lead(v.starts_at) over (order by v.from_period), 'infinity') as ends_at,
    -- with the multiplier, of the tiers by their numbers, null where these rules do not know one: millions of rows are rated without a join
    array(
        select v.rate_per_unit * l.multiplier
        from generate_series(1, (select max(t.tier_no) from loyalty.tiers as t)) as n (tier_no)
        left join loyalty.ladder as l on l.version = v.version and n.tier_no = l.tier_no
        order by n.tier_no
    ) as rates_per_unit
from visible as v;

-- The ladder of each version with the rungs' bounds: a member with this many qualifying points belongs on the rung.
create view loyalty.rungs as
select
    l.version,
    l.rung,
    l.tier_no,
    l.review,
    l.voucher_amount,
    l.gift,
    case when l.rung = 1 then '-9223372036854775808'::bigint else l.threshold end as from_points,
    coalesce(lead(l.threshold) over ladder, 9223372036854775807) as below_points,
    lag(l.tier_no) over ladder as tier_below
from loyalty.ladder as l
window ladder as (partition by l.version order by l.rung);

-- The same ladder as arrays by rung, for a million members: width_bucket finds the rung without a join.
create view loyalty.ladders as
select
    l.version,
    array_agg(l.tier_no order by l.rung) as tiers,
    array_agg(l.threshold order by l.rung) as thresholds,
    array_agg(l.review order by l.rung) as reviews
from loyalty.ladder as l
group by l.version;

-- What of a transaction counts (semantics 3), in its own currency: the amount less the pieces that the rules of its day leave out;
-- and what those rules give for one minor unit of the programme's currency, before the multiplier.
create view loyalty.counted_amounts as
select
    t.*,
    t.amount
    - case when r.earn_on_tax then 0 else coalesce(t.tax, 0) end
    - case when r.earn_on_shipping then 0 else coalesce(t.shipping, 0) end
    - case when r.earn_on_tip then 0 else coalesce(t.tip, 0) end
    - case when r.earn_on_fee then 0 else coalesce(t.fee, 0) end
    - case when r.earn_on_gift_card then 0 else coalesce(t.gift_card, 0) end
    - case when r.earn_on_paid_with_points then 0 else coalesce(t.paid_with_points, 0) end as counted,
    r.version,
    r.rate_per_unit,
    r.rates_per_unit
from loyalty.transactions as t
inner join loyalty.rules_in_force as r on r.starts_at <= t.occurred_at and t.occurred_at < r.ends_at;

-- The eligible amount of each transaction, signed, with the moment and period of the sale that decide its rate.
-- A refund takes the difference of its sale's refunded share, in the order of booking, so that any split of a refund ends alike.
-- One booked to a month before its sale's (tills' clocks differ) is that month's own: a close takes back only what was posted. It is
-- rated by the tier held when that month ended, since the close can't know what the sale's own moment will bring.
-- A reversal repeats the words of the row it takes back, so it comes to the same with the other sign; that of a refund of a sale is
-- a refund of so much less.
create view loyalty.eligible_transactions as
select
    t.member_no,
    t.transaction_no,
    t.booked_period,
    coalesce(t.sale_period, t.booked_period) as sale_period,
    t.occurred_at,
    t.occurred_at as rated_at,
    t.version,
    t.rate_per_unit,
    t.rates_per_unit,
    t.kind in ('refund', 'refund_reversal') as unnamed,
    t.merged_multiplier,
    case when t.kind in ('sale', 'refund_reversal') then 1 else -1 end
    * case when t.exchange_rate is null then t.counted else loyalty.half_even(t.counted * t.exchange_rate) end as eligible,
    t.kind
from loyalty.counted_amounts as t
where t.sale_no is null
union all
select
    t.member_no,
    t.transaction_no,
    t.booked_period,
    least(coalesce(s.sale_period, s.booked_period), t.booked_period) as sale_period,
    t.occurred_at,
    case
        when s.booked_period > t.booked_period
            then least(s.occurred_at, loyalty.period_start((t.booked_period + interval '1 month')::date) - interval '1 microsecond')
        else s.occurred_at
    end as rated_at,
    s.version,
    s.rate_per_unit,
    s.rates_per_unit,
    false as unnamed,
    s.merged_multiplier,
    coalesce(
        loyalty.half_even(e.eligible * e.refunded_before, nullif(s.amount, 0))
        - loyalty.half_even(
            e.eligible * (e.refunded_before + case t.kind when 'refund' then t.amount else -t.amount end), nullif(s.amount, 0)
        ), 0
    ) as eligible,
    t.kind
from loyalty.transactions as t
inner join loyalty.counted_amounts as s
    on t.sale_period = s.booked_period and t.member_no = s.member_no and t.sale_no = s.transaction_no
cross join lateral (
    select
        case when s.exchange_rate is null then s.counted else loyalty.half_even(s.counted * s.exchange_rate) end::numeric as eligible,
        coalesce((
            select sum(case o.kind when 'refund' then o.amount else -o.amount end) from loyalty.transactions as o
            where o.sale_no = t.sale_no and (o.booked_period, o.transaction_no) < (t.booked_period, t.transaction_no)
        ), 0) as refunded_before
) as e
where t.sale_no is not null;

-- Each transaction with the rate and multiplier of its moment (semantics 2): the tier is the one then held. Most members
-- have held theirs since before; the others' history is asked. A tier that those rules did not know multiplies by 1.
create view loyalty.rated_transactions as
select
    t.member_no,
    a.member_no as account_no,
    t.transaction_no,
    t.booked_period,
    t.sale_period,
    t.unnamed,
    t.occurred_at,
    t.eligible,
    coalesce(
        t.rate_per_unit * t.merged_multiplier,
        t.rates_per_unit[case
            when a.tier_since <= t.rated_at then a.tier_no
            else (
                select h.from_tier_no from loyalty.tier_history as h
                where h.member_no = t.member_no and h.effective_at > t.rated_at
                order by h.effective_at limit 1
            )
        end],
        t.rate_per_unit
    ) as points_per_unit,
    t.rated_at,
    t.version,
    t.rate_per_unit
from loyalty.eligible_transactions as t
inner join loyalty.accounts as a on t.member_no = a.member_no;

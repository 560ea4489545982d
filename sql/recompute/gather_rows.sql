-- does:   gathers the rows of the members in scope that stand, none reversed or reversing, each in the month in which it happened, as it is
--         really rated; a sale of a day before the member's first computed month is rated as it was
-- again:  once a recompute, in the transaction that finds its scope
-- params: recompute_no bigint, last_period date
with bounds as (
    select
        p.time_zone,
        min(g.period) as oldest
    from loyalty.periods as g
    cross join loyalty.programme as p
    where g.state = 'closed'
    group by p.time_zone
),

placed as (
    select
        r.*,
        s.from_period,
        loyalty.live_available_at(t) as available_at,
        greatest(date_trunc('month', r.occurred_at at time zone b.time_zone)::date, b.oldest) as due_period,
        greatest(date_trunc('month', r.rated_at at time zone b.time_zone)::date, b.oldest) as rated_in
    from loyalty.rated_transactions as r
    inner join loyalty.recompute_scope as s on s.recompute_no = :recompute_no and r.member_no = s.member_no
    inner join loyalty.transactions as t
        on r.booked_period = t.booked_period and r.member_no = t.member_no and r.transaction_no = t.transaction_no
        and t.kind in ('sale', 'refund')
    cross join bounds as b
    where not exists (select from loyalty.corrections as c where c.corrected_no = r.transaction_no)
)

insert into loyalty.recompute_rows (
    recompute_no, member_no, due_period, sale_period, unnamed, rated_at, rated_in, version, rate_per_unit, eligible,
    had_per_unit, due_per_unit, available_at
)
select
    :recompute_no,
    p.member_no,
    p.due_period,
    -- a refund stands in its sale's month, unless that is yet to come; a sale's own day is what it is rated by
    case when p.unnamed then p.due_period else least(p.rated_in, p.due_period) end,
    p.unnamed,
    p.rated_at,
    p.rated_in,
    p.version,
    p.rate_per_unit,
    p.eligible,
    p.points_per_unit,
    case when p.rated_in < p.from_period then p.points_per_unit end,
    p.available_at
from placed as p
where p.due_period >= p.from_period and p.due_period <= :last_period

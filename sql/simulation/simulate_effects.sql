-- does:   what a simulated run would bring: totals of its working rows beside those of the period's statements, if it is closed
-- again:  reads only
-- params: run_no bigint, period date, version integer, as_of timestamptz
with stated as (
    select
        count(*) as members,
        sum(s.spend)::bigint as spend,
        sum(s.points_earned)::bigint as points,
        sum(s.points_expired)::bigint as expired,
        count(*) filter (where s.tier_after <> s.tier_held) as moves,
        count(*) filter (where s.proposed_tier is not null) as reviews
    from loyalty.statements as s
    where s.period = :period
)

select
    count(*) filter (where o.transactions > 0) as active_members,
    coalesce(sum(o.spend), 0)::bigint as spend,
    coalesce(sum(o.points), 0)::bigint as points,
    count(*) filter (where o.rung_after > o.rung_before) as moves_up,
    count(*) filter (where o.rung_after < o.rung_before) as moves_down,
    count(o.tier_asked) as reviews,
    count(*) filter (where o.tier_at_risk) as at_risk,
    count(*) filter (where o.voucher_amount > 0) as vouchers,
    coalesce(sum(o.voucher_amount), 0)::bigint as voucher_amount,
    coalesce(sum(o.asked_voucher_amount), 0)::bigint as asked_voucher_amount,
    count(*) filter (where o.gift <> '') as gifts,
    case
        when (select s.members from stated as s) > 0 then (select s.expired from stated as s)
        else (
            -- what is still to be recorded, and what the daily job has recorded in the month already
            coalesce((select sum(l.remaining) from loyalty.lots as l where l.remaining > 0 and l.expires_at <= :as_of), 0)
            - coalesce((select sum(e.points) from loyalty.entries as e where e.period = :period and e.kind = 'expire'), 0)
        )::bigint
    end as expired,
    (select s.spend from stated as s) as stated_spend,
    (select s.points from stated as s) as stated_points,
    (select s.moves from stated as s) as stated_moves,
    (select s.reviews from stated as s) as stated_reviews
from loyalty.simulated_outcomes(:run_no, :version, :period, :as_of) as o

-- does:   what a simulated run would bring: totals of its working rows beside those of the period's statements, if it is closed
-- again:  reads only
-- params: run_no bigint, period date, version integer, as_of timestamptz
with effects as (
    select
        p.member_no,
        p.tier_held,
        t.tier_after,
        t.proposed_tier,
        t.tier_at_risk,
        coalesce(s.transactions, 0) as transactions,
        coalesce(s.spend, 0) as spend,
        coalesce(e.points, 0) as points,
        before_it.rung as rung_before,
        after_it.rung as rung_after,
        after_it.voucher_amount,
        after_it.gift
    from loyalty.work_profiles as p
    inner join loyalty.work_tiers as t on t.run_no = :run_no and p.member_no = t.member_no
    left join loyalty.work_spend as s on s.run_no = :run_no and p.member_no = s.member_no
    left join (
        select w.member_no, sum(w.points)::bigint as points
        from loyalty.work_points as w where w.run_no = :run_no group by w.member_no
    ) as e on p.member_no = e.member_no
    inner join loyalty.rungs as after_it on after_it.version = :version and t.tier_after = after_it.tier_no
    left join loyalty.rungs as before_it on before_it.version = :version and p.tier_held = before_it.tier_no
    where p.run_no = :run_no
),

rewarded as (
    select
        e.*,
        e.rung_after > coalesce(e.rung_before, 1) and not exists (
            select from loyalty.rewards as w
            inner join loyalty.rules_versions as v on v.version = :version
            where w.member_no = e.member_no and w.tier_no = e.tier_after and w.earned_at < :as_of
                and w.earned_at > :as_of - make_interval(months => v.reward_again_months)
        ) as rewarded,
        -- what is open already is asked once
        e.proposed_tier is not null and not exists (
            select from loyalty.reviews as v
            where v.member_no = e.member_no and v.tier_no = e.proposed_tier and v.state = 'open' and v.period <> :period
        ) as asks
    from effects as e
),

stated as (
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
    count(*) filter (where r.transactions > 0) as active_members,
    coalesce(sum(r.spend), 0)::bigint as spend,
    coalesce(sum(r.points), 0)::bigint as points,
    count(*) filter (where r.rung_after > coalesce(r.rung_before, 1)) as moves_up,
    count(*) filter (where r.rung_after < r.rung_before) as moves_down,
    count(*) filter (where r.asks) as reviews,
    count(*) filter (where r.tier_at_risk) as at_risk,
    count(*) filter (where r.rewarded and r.voucher_amount > 0) as vouchers,
    coalesce(sum(r.voucher_amount) filter (where r.rewarded), 0)::bigint as voucher_amount,
    count(*) filter (where r.rewarded and r.gift <> '') as gifts,
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
from rewarded as r

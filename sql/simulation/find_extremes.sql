-- does:   the members who gain or lose most between two simulated runs of a month: by points, then vouchers, at most so many each way
-- again:  reads only
-- params: run_before bigint, rules_before integer, run_after bigint, rules_after integer, period date, as_of timestamptz, most integer
with ranked as (
    select
        c.*,
        row_number() over (
            partition by c.worse
            order by
                abs(c.points_after - c.points_before) desc, abs(c.vouchers_after - c.vouchers_before) desc, c.member_no
        ) as place
    from loyalty.compared_outcomes(:run_before, :rules_before, :run_after, :rules_after, :period, :as_of) as c
    where c.better <> c.worse
)

select
    r.member_no,
    r.worse,
    held.name as tier_held,
    r.points_before,
    r.points_after,
    was.name as tier_before,
    becomes.name as tier_after,
    r.vouchers_before,
    r.vouchers_after
from ranked as r
inner join loyalty.tiers as held on r.tier_held = held.tier_no
inner join loyalty.tiers as was on r.tier_before = was.tier_no
inner join loyalty.tiers as becomes on r.tier_after = becomes.tier_no
where r.place <= :most
order by r.worse, r.place

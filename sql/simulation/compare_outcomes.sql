-- does:   two simulated runs of a month compared: by the tier held at the opening, how many members are better or worse off
-- again:  reads only
-- params: run_before bigint, rules_before integer, run_after bigint, rules_after integer, period date, as_of timestamptz
select
    t.name as tier,
    count(*) as members,
    count(*) filter (where c.better and not c.worse) as better,
    count(*) filter (where c.worse and not c.better) as worse,
    count(*) filter (where c.better and c.worse) as both_ways,
    sum(c.points_before)::bigint as points_before,
    sum(c.points_after)::bigint as points_after,
    sum(c.vouchers_before)::bigint as vouchers_before,
    sum(c.vouchers_after)::bigint as vouchers_after
from loyalty.compared_outcomes(:run_before, :rules_before, :run_after, :rules_after, :period, :as_of) as c
inner join loyalty.tiers as t on c.tier_held = t.tier_no
left join loyalty.rungs as r on r.version = :rules_after and c.tier_held = r.tier_no
group by t.tier_no, t.name, r.rung
order by r.rung nulls last, t.tier_no

-- does:   what each month of a recompute comes to: members and points that differ, and members whose tier would have been another
-- again:  reads only
-- params: recompute_no bigint
select
    m.period,
    count(*) as considered,
    count(*) filter (where m.points <> 0) as members,
    coalesce(sum(m.points) filter (where m.points > 0), 0)::bigint as credited,
    coalesce(-sum(m.points) filter (where m.points < 0), 0)::bigint as debited,
    count(*) filter (where m.tier_due <> m.tier_had) as tiers
from loyalty.recomputed_members as m
where m.recompute_no = :recompute_no
group by m.period
order by m.period

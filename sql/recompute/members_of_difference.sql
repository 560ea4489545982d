-- does:   the member's months of a recompute that differ in points or tier, those with most points first
-- again:  reads only
-- params: recompute_no bigint, most integer
select
    m.member_no,
    m.period,
    m.points_due,
    m.points_had,
    m.points_before,
    m.points,
    m.qualifying_points,
    had.name as tier_had,
    due.name as tier_due
from loyalty.recomputed_members as m
inner join loyalty.tiers as had on m.tier_had = had.tier_no
inner join loyalty.tiers as due on m.tier_due = due.tier_no
where m.recompute_no = :recompute_no and (m.points <> 0 or m.tier_due <> m.tier_had)
order by abs(m.points) desc, m.member_no, m.period
limit :most

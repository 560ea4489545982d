-- does:   the upgrades that a period's close asked managers about and that are still open, the highest tier first, and how many there are of each tier
-- again:  reads only
-- params: period date, most integer
select
    r.review_no,
    r.member_no,
    f.name as from_tier,
    t.name as to_tier,
    r.qualifying_points,
    r.due_at,
    count(*) over (partition by r.tier_no) as of_tier
from loyalty.reviews as r
inner join loyalty.tiers as f on r.from_tier_no = f.tier_no
inner join loyalty.tiers as t on r.tier_no = t.tier_no
where r.period = :period and r.state = 'open'
order by r.tier_no desc, r.qualifying_points desc, r.member_no asc
limit :most

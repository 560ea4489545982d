-- does:   the reviews of a member's upgrades, oldest first, of the months ended by an instant
-- again:  reads only
-- params: member_no bigint, as_of timestamptz
select
    r.review_no,
    r.period,
    f.name as from_tier,
    t.name as tier,
    r.qualifying_points,
    r.state,
    r.asked_by,
    r.asked_at,
    r.due_at,
    r.decided_by,
    r.decided_at,
    r.effective_at,
    r.note
from loyalty.reviews as r
inner join loyalty.periods as p on r.period = p.period
inner join loyalty.tiers as f on r.from_tier_no = f.tier_no
inner join loyalty.tiers as t on r.tier_no = t.tier_no
where r.member_no = :member_no and p.ends_at <= :as_of
order by r.review_no

-- does:   a member's moves from tier to tier up to an instant, oldest first
-- again:  reads only
-- params: member_no bigint, as_of timestamptz
select
    h.effective_at,
    f.name as from_tier,
    t.name as tier,
    h.period,
    h.review_no
from loyalty.tier_history as h
inner join loyalty.tiers as f on h.from_tier_no = f.tier_no
inner join loyalty.tiers as t on h.tier_no = t.tier_no
where h.member_no = :member_no and h.effective_at <= :as_of
order by h.effective_at

-- does:   finds upgrades that a close made although managers had been asked, in an earlier month, about that tier or one on the way to it,
--         the member had not reached it since, and nobody approved the upgrade
-- again:  reads only
-- params: none
select
    h.member_no,
    h.effective_at,
    h.tier_no,
    r.review_no
from loyalty.tier_history as h
inner join loyalty.reviews as r on h.member_no = r.member_no and r.period < h.period
inner join loyalty.rungs as below on h.rules_version = below.version and h.from_tier_no = below.tier_no
inner join loyalty.rungs as reached on h.rules_version = reached.version and h.tier_no = reached.tier_no
inner join loyalty.rungs as asked on h.rules_version = asked.version and r.tier_no = asked.tier_no
where h.upward and h.review_no is null and asked.rung > below.rung and asked.rung <= reached.rung
    and not exists (
        select from loyalty.reviews as a
        where a.member_no = h.member_no and a.tier_no = h.tier_no and a.state = 'approved' and a.effective_at = h.effective_at
    )
    and not exists (
        select from loyalty.merges as g where g.kept_no = h.member_no and g.tier_moved_at = h.effective_at
    )
    and not exists (
        select from loyalty.tier_history as o
        inner join loyalty.rungs as u on h.rules_version = u.version and o.tier_no = u.tier_no
        where o.member_no = h.member_no and u.rung >= asked.rung and o.effective_at < h.effective_at
            and o.effective_at >= loyalty.period_start((r.period + interval '1 month')::date)
    )

-- does:   finds rewards without the upward move that earned them
-- again:  reads only
-- params: none
select
    w.member_no,
    w.tier_no,
    w.earned_at
from loyalty.rewards as w
left join loyalty.tier_history as h
    on w.member_no = h.member_no and w.earned_at = h.effective_at and w.tier_no = h.tier_no and h.upward
where w.merge_no is null and h.member_no is null

-- does:   finds moves that do not start from the tier the move before led to, or lead nowhere
-- again:  reads only
-- params: none
select
    h.member_no,
    h.effective_at,
    h.came_to,
    h.from_tier_no,
    h.tier_no
from (
    select
        m.*,
        lag(m.tier_no) over (partition by m.member_no order by m.effective_at) as came_to
    from loyalty.tier_history as m
) as h
where h.from_tier_no = h.tier_no or h.from_tier_no <> coalesce(h.came_to, h.from_tier_no)

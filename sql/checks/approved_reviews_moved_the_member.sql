-- does:   finds approved reviews whose move was not made
-- again:  reads only
-- params: none
select
    r.review_no,
    r.member_no,
    r.tier_no,
    r.effective_at
from loyalty.reviews as r
left join loyalty.tier_history as h
    on r.member_no = h.member_no and r.effective_at = h.effective_at and r.tier_no = h.tier_no
where r.state = 'approved' and h.member_no is null

-- does:   finds open reviews of approvals that are decided, and reviews in another period's approval
-- again:  reads only
-- params: none
select
    r.review_no,
    r.member_no,
    r.approval_no,
    a.state
from loyalty.reviews as r
inner join loyalty.approvals as a on r.approval_no = a.approval_no
where (r.state = 'open' and a.state <> 'open') or a.kind <> 'tier_upgrades' or a.period is distinct from r.period

-- does:   the approvals to which reviews belong, those that belong to none with null
-- again:  reads only
-- params: review_nos bigint[]
select
    r.review_no,
    r.approval_no
from loyalty.reviews as r
where r.review_no = any(cast(:review_nos as bigint []))
order by r.review_no

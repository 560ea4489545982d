-- does:   locks the reviews named, in order, and tells what each one is
-- again:  a lock taken twice is one lock
-- params: review_nos bigint[]
select
    r.review_no,
    r.state,
    r.decided_by
from loyalty.reviews as r
where r.review_no = any(cast(:review_nos as bigint []))
order by r.review_no
for update

-- does:   locks the reviews of an approval, in order, and tells what each one is
-- again:  a lock taken twice is one lock
-- params: approval_no bigint
select
    r.review_no,
    r.member_no,
    r.period,
    r.state,
    r.decided_by
from loyalty.reviews as r
where r.approval_no = :approval_no
order by r.review_no
for update

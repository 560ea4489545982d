-- does:   a recompute by its number or its approval's
-- again:  reads only
-- params: recompute_no bigint, approval_no bigint
select
    r.recompute_no,
    r.first_period,
    r.last_period,
    r.approval_no,
    r.posted_period,
    r.posted_at
from loyalty.recomputes as r
where r.recompute_no = :recompute_no or r.approval_no = :approval_no

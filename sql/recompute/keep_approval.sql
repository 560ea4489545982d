-- does:   keeps under which approval a recompute waits
-- again:  keeps the same
-- params: recompute_no bigint, approval_no bigint
update loyalty.recomputes as r
set approval_no = :approval_no
where r.recompute_no = :recompute_no

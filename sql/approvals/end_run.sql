-- does:   takes note that a Prefect run asks no more
-- again:  writes the same
-- params: approval_no bigint, attempt integer
update loyalty.approval_runs as r
set ended = true
where r.approval_no = :approval_no and r.attempt = :attempt

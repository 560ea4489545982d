-- does:   the Prefect runs of an approval, the newest first
-- again:  reads only
-- params: approval_no bigint
select
    r.attempt,
    r.flow_run_id::text as flow_run_id
from loyalty.approval_runs as r
where r.approval_no = :approval_no
order by r.attempt desc

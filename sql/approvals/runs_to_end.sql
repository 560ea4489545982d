-- does:   Prefect runs that may still ask for what is decided by now
-- again:  reads only
-- params: none
select
    r.approval_no,
    r.attempt,
    r.flow_run_id::text as flow_run_id,
    a.told,
    a.decided_by
from loyalty.approval_runs as r
inner join loyalty.approvals as a on r.approval_no = a.approval_no
where not r.ended and a.state <> 'open'
order by r.approval_no, r.attempt

-- does:   the approvals that wait, batches of upgrades last, else the oldest first, each with the newest of its Prefect runs
-- again:  reads only
-- params: most integer
select
    a.approval_no,
    a.kind,
    a.occasion,
    a.period,
    a.salt::text as salt,
    n.attempt,
    n.flow_run_id::text as flow_run_id
from loyalty.approvals as a
left join lateral (
    select r.attempt, r.flow_run_id from loyalty.approval_runs as r
    where r.approval_no = a.approval_no
    order by r.attempt desc limit 1
) as n on true
where a.state = 'open'
order by a.kind = 'tier_upgrades', a.approval_no
limit :most

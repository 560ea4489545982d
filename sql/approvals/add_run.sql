-- does:   takes note of a Prefect run that asks for the decision: the newest one holds the approval
-- again:  the key (approval, attempt) gives an attempt to one run
-- params: approval_no bigint, attempt integer, flow_run_id text
insert into loyalty.approval_runs (approval_no, attempt, flow_run_id)
values (:approval_no, :attempt, cast(:flow_run_id as uuid))
on conflict (approval_no, attempt) do nothing

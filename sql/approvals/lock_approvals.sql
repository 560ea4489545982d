-- does:   locks approvals, in order, against any other decision, and tells what a decision of each must know
-- again:  a lock taken twice is one lock
-- params: approval_nos bigint[]
select
    a.approval_no,
    a.kind,
    a.occasion,
    a.state,
    a.asked_by,
    a.due_at,
    a.decided_by,
    a.salt::text as salt,
    a.code_hash
from loyalty.approvals as a
where a.approval_no = any(cast(:approval_nos as bigint []))
order by a.approval_no
for no key update

-- does:   finds adjustments by hand that are posted without exactly their entry, entries without their adjustment, and those above the
--         limit of their day that no second person approved
-- again:  reads only
-- params: none
select
    coalesce(a.member_no, e.member_no) as member_no,
    a.adjustment_no,
    a.points as asked,
    e.points as posted,
    e.entry_id,
    p.state as approval
from (select * from loyalty.adjustments as x where x.posted_at is not null) as a
full join (select * from loyalty.entries as n where n.kind = 'adjust') as e
    on a.posted_period = e.period and a.member_no = e.member_no and a.posted_cause = e.cause
left join loyalty.approvals as p on a.approval_no = p.approval_no
where a.adjustment_no is null or e.entry_id is null or a.points <> e.points
    or (abs(a.points) > a.alone_max and (p.state is distinct from 'approved' or lower(p.decided_by) = lower(a.asked_by)))
    or (abs(a.points) <= a.alone_max and a.approval_no is not null)

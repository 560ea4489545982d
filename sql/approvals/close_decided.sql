-- does:   ends the open approvals whose reviews are all decided, one by one or by time: the state is that of the most that came of
--         it, the decider the last one, time itself if nobody else
-- again:  an ended approval is no longer open
-- params: decided_at timestamptz
with whole as (
    select
        r.approval_no,
        count(*) filter (where r.state = 'approved') as approved,
        count(*) filter (where r.state = 'rejected') as rejected,
        count(*) filter (where r.state = 'lapsed') as lapsed,
        (array_agg(r.decided_by order by r.decided_by = 'system', r.decided_at desc))[1] as decided_by
    from loyalty.reviews as r
    inner join loyalty.approvals as a on r.approval_no = a.approval_no
    where a.state = 'open' and a.kind = 'tier_upgrades'
    group by r.approval_no
    having count(*) filter (where r.state = 'open') = 0
)

update loyalty.approvals as a
set
    state = case when w.approved > 0 then 'approved' when w.rejected > 0 then 'rejected' else 'lapsed' end,
    decided_by = w.decided_by,
    decided_at = :decided_at,
    told = w.approved || ' approved, ' || w.rejected || ' rejected, ' || w.lapsed || ' lapsed',
    code_hash = null
from whole as w
where a.approval_no = w.approval_no and a.state = 'open'

-- does:   campaigns, all or the one of a name or an approval, with the state in which a proposal is, and how many days are theirs
-- again:  reads only
-- params: name text, approval_no bigint
select
    c.campaign_no,
    c.name,
    c.document,
    c.digest,
    c.gives,
    c.starts_at,
    c.ends_at,
    c.begins_at,
    loyalty.campaign_until(c) as until,
    c.budget,
    c.spent,
    case when c.state = 'asked' then coalesce(a.state, 'open') else c.state end as state,
    c.attempt,
    c.asked_by,
    c.asked_at,
    c.note,
    c.figures,
    c.approval_no,
    c.stopped_by,
    a.decided_by,
    a.note as decision_note,
    a.told
from loyalty.campaigns as c
left join loyalty.approvals as a on c.approval_no = a.approval_no
where (cast(:name as text) is null or c.name = :name)
    and (cast(:approval_no as bigint) is null or c.approval_no = :approval_no)
order by c.campaign_no

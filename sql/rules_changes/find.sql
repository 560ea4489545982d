-- does:   the proposal that an approval is about, or the newest attempt of a proposal of this content; and what became of it
-- again:  reads only
-- params: approval_no bigint, from_period date, base_version integer, digest text
select
    c.change_no,
    c.from_period,
    c.base_version,
    c.attempt,
    c.document,
    c.note,
    c.asked_by,
    c.asked_at,
    c.figures,
    c.approval_no,
    c.version,
    a.state,
    a.decided_by,
    a.note as decision_note,
    a.told
from loyalty.rules_changes as c
left join loyalty.approvals as a on c.approval_no = a.approval_no
where c.approval_no = :approval_no
    or (c.from_period = :from_period and c.base_version = :base_version and c.digest = :digest)
order by c.attempt desc
limit 1

-- does:   decides an open approval: state, who, when, why, and what came of it; its code is spent
-- again:  a decided approval is no longer open: the first decision wins
-- params: approval_no bigint, state text, decided_by text, decided_at timestamptz, note text, told text
update loyalty.approvals as a
set
    state = :state,
    decided_by = :decided_by,
    decided_at = :decided_at,
    note = :note,
    told = :told,
    code_hash = null
where a.approval_no = :approval_no and a.state = 'open'

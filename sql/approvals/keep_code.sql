-- does:   keeps the hash of a new one-time code, in the transaction that sends it; the code before it is worth nothing from then on
-- again:  a message sent again brings another code
-- params: approval_no bigint, code_hash text
update loyalty.approvals as a
set
    code_hash = :code_hash,
    codes_sent = a.codes_sent + 1,
    code_failures = 0
where a.approval_no = :approval_no and a.state = 'open'

-- does:   takes note of a code that was typed: a wrong one is counted, and after the most allowed the code is worth nothing; a right
--         one that came with an answer that could not be taken is worth nothing either, since it was seen
-- again:  counts again, on the safe side
-- params: approval_no bigint, wrong boolean, most integer
update loyalty.approvals as a
set
    code_failures = a.code_failures + case when :wrong then 1 else 0 end,
    code_hash = case when :wrong and (a.code_failures + 1) % :most <> 0 then a.code_hash end
where a.approval_no = :approval_no and a.state = 'open'

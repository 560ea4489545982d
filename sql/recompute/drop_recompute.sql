-- does:   drops a recompute that is not asked for: nothing differs, or another one that waits says the same
-- again:  it is gone
-- params: recompute_no bigint
delete from loyalty.recomputes as r
where r.recompute_no = :recompute_no and r.approval_no is null

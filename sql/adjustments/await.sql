-- does:   notes which approval an adjustment waits for
-- again:  notes the same
-- params: adjustment_no bigint, approval_no bigint
update loyalty.adjustments as a
set approval_no = :approval_no
where a.adjustment_no = :adjustment_no

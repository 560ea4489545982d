-- does:   rejects the later rows of an id whose first row was rejected
-- again:  rejects the same rows
-- params: none
update import_transactions as r
set reason = 'same id as a row that was rejected'
where r.later and r.reason is null and not r.unchanged

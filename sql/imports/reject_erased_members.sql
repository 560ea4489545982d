-- does:   rejects the rows of people who were erased, by the hash that is kept of their customer_id
-- again:  rejects the same rows
-- params: none
update import_members as r
set reason = 'the member is erased'
where r.reason is null and exists (select from erased_identifiers) and loyalty.is_erased('customer_id', '', r.customer_id)

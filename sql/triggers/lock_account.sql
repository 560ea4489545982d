-- does:   locks the account of a customer who is known and not erased; the member's number
-- again:  locks the same
-- params: customer_id text
select a.member_no
from loyalty.members as m
inner join loyalty.accounts as a on coalesce(m.merged_into, m.member_no) = a.member_no
where m.customer_id = :customer_id and m.erased_at is null
for update of a

-- does:   the number of a member who is not erased
-- again:  reads only
-- params: customer_id text
select m.member_no
from members as m
where m.customer_id = :customer_id and m.erased_at is null

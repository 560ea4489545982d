-- does:   the number of the member with that customer_id, or who is shown as erased-N since
-- again:  reads only
-- params: customer_id text
select m.member_no
from loyalty.members as m
where (m.customer_id = :customer_id and m.erased_at is null)
    or (m.erased_at is not null and 'erased-' || m.member_no = :customer_id)

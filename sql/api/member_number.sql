-- does:   the number of the member that a customer_id leads to, who is not erased
-- again:  reads only
-- params: customer_id text
select m.member_no
from members as m
where m.member_no = loyalty.member_called(:customer_id)

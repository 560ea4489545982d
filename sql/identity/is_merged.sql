-- does:   whether the member with a customer_id is merged into another
-- again:  reads only
-- params: customer_id text
select m.merged_into is not null as merged
from loyalty.members as m
where m.customer_id = :customer_id

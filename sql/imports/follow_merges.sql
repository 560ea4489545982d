-- does:   gives the rows of members who are merged into others to these
-- again:  finds none
-- params: none
update import_transactions as r
set customer_id = k.customer_id
from members as m
inner join members as k on m.merged_into = k.member_no
where m.merged_into is not null and m.customer_id = r.customer_id

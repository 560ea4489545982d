-- does:   makes the purchases due that wait for customers who are members by now; one that somebody is trying just now is passed over
-- again:  makes them due
-- params: at timestamptz
update inbox as i
set next_try_at = :at
from (
    select w.event_no from inbox as w
    inner join members as m on w.waits_for_customer = m.customer_id
    where w.waits_for_customer is not null and w.next_try_at > :at
    for update of w skip locked
) as due
where i.waits_for_customer is not null and i.event_no = due.event_no

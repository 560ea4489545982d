-- does:   the events that wait for what is there by now: a transaction of their source, a customer, the rate of a day
-- again:  reads only
-- params: none
select w.event_no
from inbox as w
inner join sources as s on w.source = s.name
inner join transaction_keys as k on s.source_no = k.source_no and w.waits_for = k.transaction_id
where w.state = 'waiting' and w.waits_for is not null
union
select w.event_no
from inbox as w
inner join members as m on w.waits_for_customer = m.customer_id
where w.waits_for_customer is not null
union
select w.event_no
from inbox as w
inner join exchange_rates as r on w.waits_for_currency = r.currency and w.waits_for_day = r.day
where w.state = 'waiting' and w.waits_for_currency is not null
order by event_no

-- does:   locks the events that wait for a customer to register, in the order they came; one that somebody else is trying just now is
--         passed over: it comes again
-- again:  locks what is locked
-- params: customer_id text
select
    i.source,
    i.event_id,
    i.event_no,
    i.kind,
    i.digest,
    i.body,
    i.received_at,
    i.tries,
    i.released_by is not null as released
from inbox as i
where i.waits_for_customer = :customer_id
order by i.event_no
for update skip locked

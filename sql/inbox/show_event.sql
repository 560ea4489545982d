-- does:   all of an event that is not applied, by its number
-- again:  reads only
-- params: event_no bigint
select
    i.event_no,
    i.source,
    i.event_id,
    i.kind,
    i.state,
    i.received_at,
    i.tries,
    i.next_try_at,
    i.finished_at,
    i.waits_for,
    i.reason,
    i.body
from inbox as i
where i.state <> 'applied' and i.event_no = :event_no

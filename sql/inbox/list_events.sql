-- does:   the events in a state, oldest first, without what they say
-- again:  reads only
-- params: states text[], most integer
select
    i.event_no,
    i.source,
    i.event_id,
    i.kind,
    i.state,
    i.received_at,
    i.tries,
    i.next_try_at,
    i.waits_for,
    i.reason
from inbox as i
where i.state <> 'applied' and i.state = any(:states)
order by i.event_no
limit :most

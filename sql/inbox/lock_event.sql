-- does:   locks an event that waits, by its number; one that is applied by now, or that somebody else is trying, is passed over
-- again:  locks what is locked
-- params: event_no bigint
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
where i.state = 'waiting' and i.event_no = :event_no
for update skip locked

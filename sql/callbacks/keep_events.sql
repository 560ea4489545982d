-- does:   keeps what a platform tells of messages
-- again:  message_events_once refuses an event that is there; gives the ids of those that are new
-- params: platform text, events text[], messages bigint[], kinds text[], instants timestamptz[], reasons text[]
insert into message_events (platform, event_id, message_no, kind, at, reason)
select
    :platform,
    e.event_id,
    e.message_no,
    e.kind,
    e.at,
    e.reason
from unnest(
    cast(:events as text []), cast(:messages as bigint []), cast(:kinds as text []), cast(:instants as timestamptz []),
    cast(:reasons as text [])
) as e (event_id, message_no, kind, at, reason)
order by e.event_id
on conflict on constraint message_events_once do nothing
returning event_id

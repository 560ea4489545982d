-- does:   locks the next event that is due, the longest due first; those that somebody else works on are passed over
-- again:  locks what is locked
-- params: at timestamptz
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
where i.state = 'waiting' and i.next_try_at <= :at
order by i.next_try_at, i.event_no
limit 1
for update skip locked

-- does:   holds a waiting event that breaks a limit, with the reason, and queues a message to staff of the limit that is broken
-- again:  finds it held, and changes nothing
-- params: source text, event_id text, reason text, broken jsonb, at timestamptz
with held as (
    update inbox as i
    set
        state = 'held',
        reason = :reason,
        waits_for = null,
        waits_for_customer = null,
        tries = i.tries + 1,
        next_try_at = null,
        finished_at = :at
    where i.source = :source and i.event_id = :event_id and i.state = 'waiting'
    returning i.event_no, i.kind, i.reason, i.tries
)

insert into staff_messages (kind, occasion, event_no, facts, queued_at)
select
    'limit_breached',
    h.event_no || ' ' || h.tries,
    h.event_no,
    jsonb_build_object('number', h.event_no, 'kind', h.kind, 'reason', h.reason, 'limit', cast(:broken as jsonb)),
    :at
from held as h
on conflict on constraint staff_messages_once do nothing

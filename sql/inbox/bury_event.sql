-- does:   gives a waiting event up, with the reason
-- again:  finds it dead, and changes nothing
-- params: source text, event_id text, reason text, at timestamptz
update inbox as i
set
    state = 'dead',
    reason = :reason,
    tries = i.tries + 1,
    waits_for_customer = null,
    next_try_at = null,
    finished_at = :at
where i.source = :source and i.event_id = :event_id and i.state = 'waiting'

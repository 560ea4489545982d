-- does:   lets a held event be applied, in somebody's name; locked, so that of several who release it one does
-- again:  it is held no longer, and no row comes back
-- params: event_no bigint, released_by text, at timestamptz
update inbox as i
set
    state = 'waiting',
    released_by = :released_by,
    next_try_at = :at,
    finished_at = null
where i.event_no = :event_no and i.state = 'held'
returning i.source, i.event_id, i.event_no, i.kind, i.digest, i.body, i.received_at, i.tries, true as released

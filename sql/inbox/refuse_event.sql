-- does:   refuses a held event for a reason: it is never applied; what it said stays as long as that of others
-- again:  it is held no longer, and no row comes back
-- params: event_no bigint, reason text, at timestamptz
update inbox as i
set
    state = 'dropped',
    reason = :reason,
    finished_at = :at
where i.event_no = :event_no and i.state = 'held'
returning i.event_no

-- does:   takes what an event said; one that waits or is dead is dropped
-- again:  nothing is left
-- params: source text, event_id text, at timestamptz
update loyalty.inbox as i
set
    body = null,
    answer = null,
    reason = case when i.state = 'applied' then i.reason else 'the member is erased' end,
    waits_for = null,
    state = case when i.state = 'applied' then i.state else 'dropped' end,
    next_try_at = null,
    finished_at = coalesce(i.finished_at, :at)
where i.source = :source and i.event_id = :event_id

-- does:   says that a waiting event is applied, and what that answered; what it said is forgotten at once where that is asked
-- again:  finds it applied, and changes nothing
-- params: source text, event_id text, answer text, forget boolean, at timestamptz
update inbox as i
set
    state = 'applied',
    answer = :answer,
    body = case when :forget then null else i.body end,
    reason = null,
    waits_for = null,
    waits_for_customer = null,
    next_try_at = null,
    finished_at = :at
where i.source = :source and i.event_id = :event_id and i.state = 'waiting'

-- does:   records what became of a claimed message to managers: sent, or withheld with the reason
-- again:  only a queued row changes, so a repeat writes nothing
-- params: message_no bigint, state text, reason text, as_of timestamptz
update loyalty.staff_messages as m
set
    state = :state,
    reason = :reason,
    finished_at = :as_of
where m.message_no = :message_no and m.state = 'queued'

-- does:   ends the doubt about messages to managers: they are sent, failed, or queued again
-- again:  only unknown ones change, so a repeat writes nothing; gives the numbers of those that did
-- params: messages bigint[], state text, reason text, as_of timestamptz
update loyalty.staff_messages as m
set
    state = :state,
    reason = :reason,
    not_before = null,
    finished_at = case when :state in ('sent', 'failed') then cast(:as_of as timestamptz) end
where m.message_no = any(:messages) and m.state = 'unknown'
returning m.message_no

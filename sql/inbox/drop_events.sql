-- does:   drops events that wait or were given up, for a reason; what they say is forgotten in time
-- again:  finds none
-- params: numbers bigint[], reason text, at timestamptz
update inbox as i
set
    state = 'dropped',
    reason = :reason,
    waits_for = null,
    waits_for_customer = null,
    next_try_at = null,
    finished_at = :at
where i.state in ('waiting', 'dead') and i.event_no = any(:numbers)
returning i.event_no

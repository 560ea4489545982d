-- does:   has events that wait, or were given up or dropped, tried again at once
-- again:  has them tried again
-- params: numbers bigint[], at timestamptz
update inbox as i
set
    state = 'waiting',
    next_try_at = :at,
    finished_at = null
where i.state not in ('applied', 'held') and i.event_no = any(:numbers)
returning i.event_no

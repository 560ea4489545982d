-- does:   says why a waiting event can't be applied yet, and when it is tried again
-- again:  says the same, and counts one more try
-- params: source text, event_id text, reason text, waits_for text, waits_for_customer text, currency text, sold_at timestamptz, next_try_at timestamptz
update inbox as i
set
    reason = :reason,
    waits_for = :waits_for,
    waits_for_customer = :waits_for_customer,
    waits_for_currency = :currency,
    waits_for_day = (select (cast(:sold_at as timestamptz) at time zone p.time_zone)::date from programme as p),
    tries = i.tries + 1,
    next_try_at = :next_try_at
where i.source = :source and i.event_id = :event_id and i.state = 'waiting'

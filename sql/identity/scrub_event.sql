-- does:   takes what an event said, but for what is left of it, which is not about the person; one that waits, is held or is dead, and of
--         which nothing is left, is dropped
-- again:  nothing of the person is left
-- params: source text, event_id text, left_over bytea, at timestamptz
update loyalty.inbox as i
set
    body = :left_over,
    answer = null,
    reason = case when i.state = 'applied' or k.stays then i.reason else 'the member is erased' end,
    waits_for = case when k.stays then i.waits_for end,
    waits_for_customer = case when k.stays then i.waits_for_customer end,
    state = case when i.state = 'applied' or k.stays then i.state else 'dropped' end,
    next_try_at = case when k.stays then i.next_try_at end,
    finished_at = case when k.stays then i.finished_at else coalesce(i.finished_at, :at) end
from (select cast(:left_over as bytea) is not null as stays) as k
where i.source = :source and i.event_id = :event_id

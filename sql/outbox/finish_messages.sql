-- does:   records what became of claimed messages: sent, withheld or failed; or still queued, and not before which instant
-- again:  only queued rows change, so a repeat writes nothing
-- params: first_message bigint, last_message bigint, messages bigint[], states text[], reasons text[], not_before timestamptz[], as_of timestamptz
update loyalty.outbox as o
set
    state = f.state,
    reason = f.reason,
    not_before = coalesce(f.not_before, o.not_before),
    tries = o.tries + case when f.state in ('sent', 'failed') then 1 else 0 end,
    finished_at = case when f.state <> 'queued' then cast(:as_of as timestamptz) end
from unnest(
    cast(:messages as bigint []), cast(:states as text []), cast(:reasons as text []), cast(:not_before as timestamptz [])
) as f (message_no, state, reason, not_before)
-- the bounds keep the plan a walk along the index, even while nobody has analysed a freshly filled outbox
where o.message_no = f.message_no and o.state = 'queued'
    and o.message_no >= :first_message and o.message_no <= :last_message

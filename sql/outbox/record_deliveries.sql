-- does:   records what a provider said of messages that this delivery has in hand, or had when its lease ended: sent, failed, unknown, or
--         queued again and not before which instant; `tried` is 0 for one that was never begun
-- again:  only messages in hand or unknown change, so a repeat writes nothing
-- params: messages bigint[], states text[], reasons text[], provider_ids text[], faults text[], not_before timestamptz[], tried integer[], claimed_by text, as_of timestamptz
with told as (
    select t.*
    from unnest(
        cast(:messages as bigint []), cast(:states as text []), cast(:reasons as text []), cast(:provider_ids as text []),
        cast(:faults as text []), cast(:not_before as timestamptz []), cast(:tried as integer [])
    ) as t (message_no, state, reason, provider_id, fault, not_before, tried)
),

ours as (
    select
        t.message_no,
        t.state,
        t.reason,
        t.provider_id,
        t.fault,
        t.not_before,
        t.tried
    from told as t
    inner join loyalty.deliveries as d on t.message_no = d.message_no
    where d.claimed_by = :claimed_by
),

changed as (
    update loyalty.outbox as o
    set
        state = t.state,
        reason = t.reason,
        not_before = coalesce(t.not_before, o.not_before),
        tries = o.tries + t.tried,
        finished_at = case when t.state in ('sent', 'failed') then cast(:as_of as timestamptz) end
    from ours as t
    where o.message_no = t.message_no and o.state in ('sending', 'unknown')
    returning o.message_no
)

update loyalty.deliveries as d
set
    provider_id = t.provider_id,
    fault = t.fault,
    digest = case when t.state = 'unknown' then d.digest end,
    claimed_by = null,
    claimed_until = null
from ours as t
inner join changed as c on t.message_no = c.message_no
where d.message_no = t.message_no

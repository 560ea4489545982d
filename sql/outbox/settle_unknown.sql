-- does:   ends the doubt about messages: they are sent, failed, or queued again
-- again:  only messages in hand or unknown change, so a repeat writes nothing; gives the numbers of those that did
-- params: messages bigint[], state text, reason text, provider_id text, not_before timestamptz, as_of timestamptz, only_unknown boolean
with settled as (
    update loyalty.outbox as o
    set
        state = :state,
        reason = :reason,
        not_before = coalesce(cast(:not_before as timestamptz), o.not_before),
        finished_at = case when :state in ('sent', 'failed') then cast(:as_of as timestamptz) end
    where o.message_no = any(:messages) and o.state in ('sending', 'unknown') and (o.state = 'unknown' or not :only_unknown)
    returning o.message_no
)

update loyalty.deliveries as d
set
    provider_id = coalesce(cast(:provider_id as text), d.provider_id),
    digest = null,
    claimed_by = null,
    claimed_until = null
from settled as s
where d.message_no = s.message_no
returning d.message_no

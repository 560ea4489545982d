-- does:   records what became of a claimed message to managers: sent, withheld or failed, with the reason; or that it is being sent by
--         a provider, until when at the latest by the machine's own time; or what came of that
-- again:  only a message that waits or is being sent changes
-- params: message_no bigint, state text, reason text, as_of timestamptz, not_before timestamptz, claimed_until timestamptz
update loyalty.staff_messages as m
set
    state = :state,
    reason = :reason,
    not_before = cast(:not_before as timestamptz),
    claimed_until = cast(:claimed_until as timestamptz),
    tries = m.tries + case when m.state = 'sending' then 1 else 0 end,
    finished_at = case when :state in ('sent', 'withheld', 'failed') then cast(:as_of as timestamptz) end
where m.message_no = :message_no and m.state in ('queued', 'sending')

-- does:   lifts what holds against the address that a member has now on a channel, in somebody's name
-- again:  nothing holds any more
-- params: member_no bigint, channel text, at timestamptz, by text
update suppressions as s
set
    lifted_at = :at,
    lifted_by = :by
from members as m
where m.member_no = :member_no and s.channel = :channel
    and s.address = loyalty.address_digest(:channel, case when :channel = 'email' then m.email else m.phone end)
    and coalesce(s.since > s.lifted_at, true)

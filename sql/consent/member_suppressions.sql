-- does:   what was ever said against the addresses that a member has now
-- again:  reads only
-- params: member_no bigint
select
    s.channel,
    s.reason,
    s.since,
    s.source,
    s.lifted_at,
    s.lifted_by,
    coalesce(s.since > s.lifted_at, true) as holds
from members as m
cross join lateral (values ('email', m.email), ('sms', m.phone)) as a (channel, address)
inner join suppressions as s on a.channel = s.channel and s.address = loyalty.address_digest(a.channel, a.address)
where m.member_no = :member_no
order by s.channel, s.since

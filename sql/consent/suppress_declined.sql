-- does:   notes the present addresses of members to whom a provider declined messages for good, as it takes the address for no good one
-- again:  keeps the newest instant
-- params: messages bigint[], at timestamptz
insert into suppressions as s (channel, address, reason, since, source)
select
    c.channel,
    loyalty.address_digest(c.channel, c.address),
    'invalid address',
    :at,
    min(d.provider)
from deliveries as d
inner join members as m on d.member_no = m.member_no
cross join lateral (
    select
        case when d.provider = 'twilio' then 'sms' else 'email' end as channel,
        case when d.provider = 'twilio' then m.phone else m.email end as address
) as c
where d.message_no = any(:messages) and d.fault = 'bad address' and c.address is not null
group by 1, 2
order by 1, 2
on conflict on constraint suppressions_once do update set since = greatest(s.since, excluded.since)
